// The ratio tab: a zoom is shared by all panels and kept in the address.
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  let axis = null;

  function show(low, high) {
    ns.set_props({ type: "view", name: "from" }, { value: low });
    ns.set_props({ type: "view", name: "to" }, { value: high });
  }

  ns.ratios = {
    // the style of the button that shows the whole run again
    zoom: function (_relayouts, _clicks, view) {
      for (const { prop_id: by, value } of ns.callback_context.triggered) {
        if (by.startsWith("ratios-whole") && value) show(null, null);
        if (by.startsWith("view")) {  // a range of one axis means nothing on another
          const before = axis;
          axis = (view && view.x) || "step";
          if (before && before !== axis && view.from) show(null, null);
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
