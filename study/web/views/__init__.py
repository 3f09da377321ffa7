"""The pages: thin layers of Streamlit over the functions of ``study.web``."""
