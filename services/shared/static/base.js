// On every page: the language and type-size links keep what else stands in the address (a filter, a `next`).
for (const link of document.querySelectorAll("a[data-switch]")) {
  const target = new URL(link.href);
  const wanted = new URLSearchParams(location.search);
  for (const [name, value] of target.searchParams) wanted.set(name, value);
  link.href = `${location.pathname}?${wanted}${location.hash}`;
}

// What is wider than the screen is scrolled by keyboard too: a table takes the focus under its caption's name.
function reachTables() {
  for (const wrap of document.querySelectorAll(".table-wrap, pre")) {
    const caption = wrap.querySelector("caption");
    if (wrap.scrollWidth <= wrap.clientWidth || wrap.hasAttribute("tabindex")) continue;
    wrap.tabIndex = 0;
    wrap.setAttribute("role", "group");
    if (caption) wrap.setAttribute("aria-label", caption.textContent.trim());
  }
}
reachTables();
addEventListener("resize", reachTables);
