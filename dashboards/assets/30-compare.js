// The compare page: a zoom is shared by all panels and kept in the address.
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  let align = null;

  function show(low, high) {
    ns.set_props({ type: "view", name: "from" }, { value: low });
    ns.set_props({ type: "view", name: "to" }, { value: high });
  }

  ns.compare = {
    // the style of the button that shows whole runs again
    zoom: function (_relayouts, _clicks, view) {
      for (const { prop_id: by, value } of ns.callback_context.triggered) {
        if (by.startsWith("compare-whole") && value) show(null, null);
        if (by.startsWith("view")) {  // a range of one alignment means nothing in another
          const before = align;
          align = (view && view.align) || "step";
          if (before && before !== align && view.from) show(null, null);
        }
        const low = value && value["xaxis.range[0]"], high = value && value["xaxis.range[1]"];
        if (by.includes("relayoutData") && low !== undefined && low !== null) {
          show(Number(low).toPrecision(8), Number(high).toPrecision(8));
        }
      }
      return { display: view && (view.from || view.to) ? "" : "none" };
    },
  };
})();
