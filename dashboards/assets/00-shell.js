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
      const triggers = ns.callback_context.triggered.map((part) => part.prop_id);
      if (triggers.includes("content.children")) window.collapseLab.shown += 1;
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
        const zoomed = zoomOf("?" + query) !== zoomOf(location.search);  // what one goes back from
        history[zoomed ? "pushState" : "replaceState"](history.state, "", address);
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

  // Going back. Dash knows the addresses that it was sent to, not those that `view` has made: where
  // it would see no change the page is laid out anew by us.
  const zoomOf = (search) => new URLSearchParams(search).get("from");
  let sentTo = location.pathname + location.search;
  window.addEventListener("_dashprivate_pushstate", () => { sentTo = location.pathname + location.search; });
  window.addEventListener("popstate", () => {
    const now = location.pathname + location.search;
    if (now === sentTo) ns.set_props("again", { data: [now, ns.shell.backs = (ns.shell.backs || 0) + 1] });
    sentTo = now;
  });

  document.addEventListener("click", (event) => {
    const chip = event.target.closest && event.target.closest(".chip");
    if (!chip) return;
    const { control, value } = chip.dataset;
    ns.set_props({ type: "view", name: control }, { value });
  });

  // What is typed into a text field. Dash's own input must not hear of it: after each key it puts
  // the cursor back to where it was, a moment later, and fast typing gets scrambled.
  let asking = null;
  document.addEventListener("input", (event) => {
    const field = event.target.closest && event.target.closest(".field");
    if (!field) return;
    event.stopPropagation();
    clearTimeout(asking);
    asking = setTimeout(() => setLater(
      { type: "view", name: field.dataset.control }, { value: event.target.value }), 400);
  }, true);

  // for timers: the page that it was meant for may be gone, and then there is nothing to set
  function setLater(id, props) {
    try { ns.set_props(id, props); } catch { /* gone */ }
  }

  // navigation within the app, as dcc.Link does it
  function go(address) {
    history.pushState({}, "", address);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  }
  window.collapseLab = { go, setLater, readyPlotly, shown: 0 };

  // plotly is the largest script. Where panels will be drawn it is fetched from the start, and it
  // runs while the server works on the first ones: Dash's graphs, which wait for a promise in its
  // place, would begin with both when they are there. Elsewhere it is fetched when nothing else is.
  const PLOTLY = "/_dash-component-suites/plotly/package_data/plotly.min.js";
  const drawn = location.pathname.startsWith("/run/") && !/tab=(evidence|report)/.test(location.search);
  const early = document.createElement("link");
  Object.assign(early, { rel: drawn ? "preload" : "prefetch", as: "script", href: PLOTLY });
  document.head.append(early);
  function readyPlotly() {
    if (window.Plotly || document.querySelector(`script[src$="${PLOTLY}"]`)) return;  // or a graph was quicker
    window.Plotly = new Promise((done, failed) => {
      const script = document.createElement("script");
      Object.assign(script, { src: PLOTLY, onload: () => done(window.Plotly), onerror: failed });
      document.body.append(script);
    });
  }

  // The pulse: one small question a second; only what has changed reaches Dash. A hidden tab asks
  // for news alone.
  const PULSE = 1000, HIDDEN_PULSE = 5000;
  let heard = null, before = {}, silent = 0, shownAt = null;
  async function pulse() {
    try {
      const here = document.hidden ? null : location.pathname.match(/^\/run\/(.+)$/);
      const query = new URLSearchParams();
      if (heard !== null) query.set("heard", heard);
      if (here) query.set("run", decodeURIComponent(here[1]));
      const answer = await fetch("/_pulse?" + query);
      if (!answer.ok) throw new Error(answer.status);
      const now = await answer.json();
      if (silent > 2) ns.set_props("announcer", { children: "" });
      silent = 0;
      heard = now.heard;
      now.page = location.pathname;
      if (now.news.length) ns.set_props("news", { data: now.news });
      if (now.page === before.page) {
        if (now.head && now.head !== before.head) ns.set_props("run-tick", { data: now.head });
        for (const tab of ["signals", "ratios"]) {
          if (now.rows && now.rows !== before.rows && document.getElementById(tab)) {
            ns.set_props(tab + "-tick", { data: now.rows });
          }
        }
        if (now.version !== before.version || now.minute !== before.minute) {
          if (window.collapseLab.refreshRuns) window.collapseLab.refreshRuns();
        }
        if (now.version !== before.version) {
          if (document.getElementById("compare")) ns.set_props("compare-tick", { data: now.version });
        }
      }
      const stand = [now.page, now.version, now.rows].join();
      if (stand !== shownAt && document.querySelector(".waiting")) {
        shownAt = stand;
        ns.set_props("again", { data: stand });
      }
      if (!document.hidden) before = now;
    } catch {
      if (++silent === 3) {
        document.getElementById("announcer").className = "announcer shown critical";
        ns.set_props("announcer", { children: "The app does not answer. Was it stopped? This page goes on when it is back." });
      }
    }
    setTimeout(pulse, document.hidden ? HIDDEN_PULSE : PULSE);
  }
  setTimeout(pulse, PULSE);

  // Dash's lists have a hidden input that the Tab key would still stop at
  new MutationObserver(() => {
    for (const stop of document.getElementsByClassName("dash-dropdown-focus-target")) stop.tabIndex = -1;
  }).observe(document.documentElement, { childList: true, subtree: true });

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
