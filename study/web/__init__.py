"""The web page: what a study's store says, in a browser on this machine. Only ``views`` knows Streamlit."""
