// The shell: the query string, the theme, notifications, keys. See dashboards/__init__.py.
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const skip = () => ns.no_update;
  const root = document.documentElement;

  const systemTheme = () => matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const chosenTheme = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  root.dataset.theme = chosenTheme() || systemTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (!chosenTheme()) setTheme(systemTheme());
  });
  function setTheme(theme) {
    root.dataset.theme = theme;
    ns.set_props("theme", { data: theme });
  }

  ns.shell = {
    // controls -> the address and the store "view"
    view: function (_content, values, ids) {
      const view = {};
      ids.forEach((id, at) => {
        let value = values[at];
        if (Array.isArray(value)) value = value.join(",");
        if (value !== null && value !== undefined && value !== "" && value !== 0) {
          view[id.name] = String(value);
        }
      });
      document.querySelectorAll(".chip").forEach((chip) => {
        const { control, value } = chip.dataset;
        const first = chip.parentElement.firstElementChild === chip;
        chip.setAttribute("aria-pressed", String(control in view ? view[control] === value : first));
      });
      const query = new URLSearchParams(view).toString();
      const address = location.pathname + (query ? "?" + query : "");
      if (ids.length && address !== location.pathname + location.search) {
        history.replaceState(history.state, "", address);
      }
      return view;
    },
    theme: function (clicks) {
      if (clicks) {
        root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
        try { localStorage.setItem("theme", root.dataset.theme); } catch { /* private window */ }
      }
      return root.dataset.theme;
    },
    notify: function (clicks) {
      const button = document.getElementById("notify");
      if (!("Notification" in window)) { button.hidden = true; return skip(); }
      if (clicks && Notification.permission === "default") {
        Notification.requestPermission().then((answer) =>
          ns.set_props("notify", { children: answer === "granted" ? "Notifying" : "Not allowed" }));
        return skip();
      }
      return Notification.permission === "granted" ? "Notifying" : "Notify me";
    },
    announce: function (news) {
      if (!news || !news.length) return skip();
      const last = news[news.length - 1];
      if ("Notification" in window && Notification.permission === "granted") {
        const note = new Notification("collapse-lab", { body: last.text, tag: last.link });
        note.onclick = () => { window.focus(); location.assign(last.link); };
      }
      const announcer = document.getElementById("announcer");
      announcer.className = "announcer shown " + last.severity;
      announcer.onclick = () => go(last.link);
      clearTimeout(announcer.timer);
      announcer.timer = setTimeout(() => { announcer.className = "announcer"; }, 20000);
      return last.text;
    },
  };

  document.addEventListener("click", (event) => {
    const chip = event.target.closest && event.target.closest(".chip");
    if (!chip) return;
    const { control, value } = chip.dataset;
    ns.set_props({ type: "view", name: control }, { value });
  });

  // navigation within the app, as dcc.Link does it
  function go(address) {
    history.pushState({}, "", address);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  }
  window.collapseLab = { go, order: [] };

  // a hidden tab asks for nothing but the news
  const TICKS = { "runs-tick": "runs-grid", "run-tick": "run-head", "signals-tick": "signals", "compare-tick": "compare" };
  document.addEventListener("visibilitychange", () => {
    for (const [tick, beside] of Object.entries(TICKS)) {
      if (document.getElementById(beside)) ns.set_props(tick, { disabled: document.hidden });
    }
  });

  const typing = (target) => /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) &&
    !/^(radio|checkbox|range)$/.test(target.type);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (typing(event.target)) return;
    if (event.key === "/") {
      const search = document.querySelector(".search input");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if (event.key === "j" || event.key === "k") {
      step(event.key === "j" ? 1 : -1);
    }
  });

  function step(by) {
    const here = location.pathname.match(/^\/run\/(.+)$/);
    if (!here) { window.collapseLab.moveRow && window.collapseLab.moveRow(by); return; }
    const order = JSON.parse(sessionStorage.getItem("order") || "[]");
    const at = order.indexOf(decodeURIComponent(here[1]));
    const next = at < 0 ? order[0] : order[at + by];
    if (next) go("/run/" + encodeURIComponent(next) + location.search);
  }
})();
