// What the theme leaves out for the keyboard and screen readers: tables that scroll take the focus,
// and the search is called by its name.
function complete() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) {
    box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
  }
}
document$.subscribe(() => new ResizeObserver(complete).observe(document.querySelector("article")));
