// Copyright: (c) 2026, Breakwater maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// Filters the page and opens what a link points at. Without it everything is there, only not filtered.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const form = byId("filter");
  const controls = [...document.querySelectorAll(".control")];
  const hosts = [...document.querySelectorAll(".host")];
  const tables = [...document.querySelectorAll(".matrix")];
  const sheet = document.styleSheets[0];
  const ownRules = sheet.cssRules.length;
  const bad = new Set(["fail", "error"]);
  let index = null;

  // Texts are gathered at the first search: a large fleet's page has megabytes of them.
  function build() {
    const text = (element) => element.textContent.toLowerCase();
    const known = new Map(controls.map((element) => [element.id, {
      element, text: text(element), severity: element.dataset.severity, scope: element.dataset.scope,
      status: element.dataset.status.split(" "), isNew: false,
    }]));
    const rows = hosts.map((element) => ({
      element, text: text(element.querySelector("summary")), status: element.dataset.status.split(" "),
      findings: [...element.querySelectorAll(".findings > li")].map((item) => {
        const control = known.get("c" + item.dataset.c);
        const isNew = "new" in item.dataset;
        control.isNew = control.isNew || isNew;
        return { element: item, text: text(item) + " " + text(control.element.querySelector(".title")), control, isNew, status: item.className };
      }),
    }));
    return { controls: [...known.values()], hosts: rows };
  }

  function filter() {
    index = index || build();
    const words = byId("query").value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = byId("status").value;
    const severity = byId("severity").value;
    const scope = byId("scope").value;
    const onlyNew = Boolean(byId("new") && byId("new").checked);
    const says = (...texts) => words.every((word) => texts.some((text) => text.includes(word)));
    const isStatus = (found) => !status || (status === "bad" ? bad.has(found) : found === status);
    const fits = (control) => (!severity || control.severity === severity) && (!scope || control.scope === scope);

    let shownControls = 0;
    for (const control of index.controls) {
      const shown = fits(control) && control.status.some(isStatus) && says(control.text) && (!onlyNew || control.isNew);
      control.element.hidden = !shown;
      shownControls += shown;
    }
    let shownHosts = 0;
    for (const host of index.hosts) {
      let shown = !onlyNew && !severity && !scope && host.status.some(isStatus) && says(host.text);
      for (const finding of host.findings) {
        const visible = fits(finding.control) && isStatus(finding.status) && (!onlyNew || finding.isNew) && says(host.text, finding.text);
        finding.element.hidden = !visible;
        shown = shown || visible;
      }
      host.element.hidden = !shown;
      shownHosts += shown;
    }
    filterMatrix();
    byId("shown").value = `${shownControls} of ${controls.length} controls, ${shownHosts} of ${hosts.length} hosts`;
  }

  const isHidden = (link) => document.querySelector(link.getAttribute("href")).hidden;

  function filterMatrix() {
    while (sheet.cssRules.length > ownRules) sheet.deleteRule(ownRules);
    tables.forEach((table) => {
      const shown = [...table.tBodies[0].rows].filter((row) => {
        row.hidden = isHidden(row.cells[0].firstElementChild);
        return !row.hidden;
      });
      table.parentElement.hidden = shown.length === 0;
    });
    // Columns are the same in all tables: one rule hides a column in each of them.
    const columns = tables.length ? [...tables[0].tHead.rows[0].cells].slice(1) : [];
    const gone = columns.flatMap((cell, place) => (isHidden(cell.firstElementChild) ? [place + 2] : []));
    if (gone.length) sheet.insertRule(`${gone.map((place) => `.matrix tr > :nth-child(${place})`).join()} { display: none; }`, ownRules);
  }

  function openTarget() {
    const target = location.hash.length > 1 && byId(location.hash.slice(1));
    if (target && target.matches(".item")) {
      target.hidden = false;
      target.open = true;
      target.scrollIntoView();
      target.querySelector("summary").focus({ preventScroll: true });
    }
  }

  if (form) {
    let waiting = 0;
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", filter);
    form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 150); });
    form.addEventListener("reset", () => setTimeout(filter));
  }
  addEventListener("hashchange", openTarget);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) openTarget(); // no hashchange: the address stays the same
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      byId("query").focus();
    }
  });
  openTarget();
})();
