// The signals tab: only panels near the screen are asked for; a zoom is shared by all of them.
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const AT_FIRST = 3;  // panels: the first row is on screen before the others are asked for
  let observer = null, drawn = new Set(), near = new Set(), asked = null, serial = 0;

  const live = () => {
    const shown = document.getElementById("signals-live");
    return shown !== null && shown.style.display !== "none";
  };

  function ask() {
    clearTimeout(asked);
    asked = setTimeout(() => {
      // panels of a growing run stand at one cursor, so they are drawn together
      const fresh = [...near].filter((name) => !drawn.has(name));
      const together = live() ? [...near] : drawn.size ? fresh : fresh.slice(0, AT_FIRST);
      const wanted = fresh.length ? together : [];
      if (!wanted.length) return;
      wanted.forEach((name) => drawn.add(name));
      window.collapseLab.setLater(
        "signals-wanted", { data: { signals: wanted, near: [...near], serial: ++serial } });
      setTimeout(window.collapseLab.readyPlotly, 30);  // behind the question to the server
    }, 30);
  }

  // Whether the view is that of the page. Of a page that has just been laid out the store still has
  // the view of the one before.
  function addressed(view) {
    const query = new URLSearchParams(location.search);
    const names = Object.keys(view);
    return names.length === [...query.keys()].length && names.every((name) => query.get(name) === view[name]);
  }

  ns.signals = {
    watch: function (_id, view, _theme, charts) {
      const tab = document.getElementById("signals");
      if (!view || !tab || !addressed(view)) return ns.no_update;
      const by = ns.callback_context.triggered.map((part) => part.prop_id);
      if (!view.charts && by.every((id) => id.startsWith("signals-charts"))) return ns.no_update;
      tab.classList.toggle("with-charts", Boolean(view.charts));
      if (view.charts && !charts) return ns.no_update;  // drawn once the detectors have begun
      drawn = new Set();
      const query = (view.q || "").toLowerCase();
      let shown = 0;
      document.querySelectorAll(".family").forEach((family) => {
        let some = 0;
        family.querySelectorAll(".panel").forEach((panel) => {
          const name = panel.getAttribute("data-signal");
          panel.hidden = !name.toLowerCase().includes(query);
          some += !panel.hidden;
        });
        family.hidden = !some;
        shown += some;
      });
      const none = document.querySelector(".none-found");
      if (none) none.hidden = shown > 0;
      const whole = document.getElementById("signals-whole");
      if (whole) whole.style.display = view.from || view.to ? "" : "none";
      if (observer) observer.disconnect();
      near = new Set();
      observer = new IntersectionObserver((entries) => {
        entries.forEach((entry) => {
          const name = entry.target.getAttribute("data-signal");
          if (entry.isIntersecting) { near.add(name); return; }
          near.delete(name);
          if (live()) drawn.delete(name);  // it falls behind from here on
        });
        ask();
      }, { rootMargin: "250px 0px" });
      document.querySelectorAll(".panel").forEach((panel) => observer.observe(panel));
      return ns.no_update;
    },
    // the first row has come: the others are asked for once it is on screen
    rest: function () {
      if (!document.getElementById("signals")) return ns.no_update;
      if (document.querySelector(".panel .main-svg")) requestAnimationFrame(ask);
      else setTimeout(ns.signals.rest, 30);
      return ns.no_update;
    },
    zoom: function (relayouts) {
      const triggered = ns.callback_context.triggered;
      const keep = [ns.no_update, ns.no_update];
      if (!triggered.length) return keep;
      // panels that are drawn in the same moment come before the click
      const click = triggered.find((part) => part.prop_id.startsWith("signals-whole"));
      if (click && click.value) return [null, null];
      const by = triggered[0].prop_id;
      if (by.includes('"view"')) {  // another axis: a range of the old one means nothing on it
        const before = ns.signals.axis;
        ns.signals.axis = triggered[0].value;
        return before && before !== triggered[0].value ? [null, null] : keep;
      }
      const change = triggered[0].value;
      if (!change) return keep;
      const low = change["xaxis.range[0]"], high = change["xaxis.range[1]"];
      if (low === undefined || high === undefined) {
        return change["xaxis.autorange"] ? [null, null] : keep;
      }
      return [Number(low).toPrecision(8), Number(high).toPrecision(8)];
    },
  };

  // a double click anywhere on a panel shows the whole run again
  document.addEventListener("dblclick", (event) => {
    if (event.target.closest && event.target.closest(".panel")) {
      ns.set_props({ type: "view", name: "from" }, { value: null });
      ns.set_props({ type: "view", name: "to" }, { value: null });
    }
  });
  // one crosshair over all panels
  document.addEventListener("mousemove", (event) => {
    const panel = event.target.closest && event.target.closest(".panel");
    const plot = panel && panel.querySelector(".nsewdrag");
    const all = document.querySelectorAll(".panel");
    if (!plot) { all.forEach((one) => one.style.removeProperty("--cross")); return; }
    const box = plot.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    if (share < 0 || share > 1) return;
    all.forEach((one) => {
      const drag = one.querySelector(".nsewdrag");
      if (!drag) return;
      const width = one.getBoundingClientRect().width;
      one.style.setProperty("--cross", (52 + 1 + share * (width - 52 - 10 - 2)) + "px");
    });
  }, { passive: true });
})();
