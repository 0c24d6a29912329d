// On every page: the language and type-size links keep what else stands in the address (a filter, a `next`).
for (const link of document.querySelectorAll("a[data-switch]")) {
  const target = new URL(link.href);
  const wanted = new URLSearchParams(location.search);
  for (const [name, value] of target.searchParams) wanted.set(name, value);
  link.href = `${location.pathname}?${wanted}${location.hash}`;
}
