// Tables that sort, figures that enlarge, light or dark, and everything unfolded on paper. Without it the page reads as well.
"use strict";
(() => {
  const units = { k: 1e3, M: 1e6, G: 1e9, s: 1, min: 60, h: 3600 };

  // The first number of a cell, with its unit; NaN for words, null for a cell that says nothing.
  function value(cell) {
    const first = cell.firstChild ? cell.firstChild.textContent : "";
    const words = (first || cell.textContent).replace(/\u2212/g, "-").replace(/\u00a0/g, " ").replace(/,/g, "").trim();
    if (words === "" || words === "\u2013") return null;
    const found = words.match(/^[<>]?\s*([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?:\s*(k|M|G|min|s|h)\b|\s|%|$|\()/);
    return found ? parseFloat(found[1]) * (units[found[2]] || 1) : NaN;
  }

  function sortable(table) {
    const body = table.tBodies[0];
    if (!body || body.rows.length < 2) return;
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    if (heads.every((head) => !head.textContent.trim())) { // the card on top
      table.tHead.hidden = true;
      table.classList.add("card");
      return;
    }
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")] || "ascending";
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", next);
        if (next === "none") {
          body.append(...original);
          return;
        }
        const sign = next === "ascending" ? 1 : -1;
        const keyed = original.map((row) => [row, value(row.cells[column]), row.cells[column].textContent.trim()]);
        const numeric = keyed.every(([, number]) => !Number.isNaN(number));
        keyed.sort(([, a, words], [, b, others]) => {
          if (a === null || b === null) return (a === null) - (b === null);
          return sign * (numeric ? a - b : words.localeCompare(others, "en", { numeric: true }));
        });
        body.append(...keyed.map(([row]) => row));
      });
    });
  }

  const dialog = document.getElementById("enlarged");
  function enlargeable(figure) {
    const open = () => {
      const image = dialog.querySelector("img");
      image.src = figure.src;
      image.alt = figure.alt;
      dialog.querySelector("p").textContent = figure.alt;
      dialog.showModal();
    };
    figure.tabIndex = 0;
    figure.setAttribute("role", "button");
    figure.setAttribute("aria-label", `${figure.alt} (enlarge)`);
    figure.addEventListener("click", open);
    figure.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        open();
      }
    });
  }

  document.querySelectorAll("main table").forEach(sortable);
  document.querySelectorAll("img.figure").forEach(enlargeable);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.tagName === "IMG") dialog.close();
  });

  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const chosen = document.documentElement.dataset.theme;
    const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });

  if (matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").open = false;
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("main details:not([open])")];
    folded.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((one) => (one.open = false)));
})();
