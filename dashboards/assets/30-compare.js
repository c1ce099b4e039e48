// The compare page: a zoom is shared by all panels and kept in the address.
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  let align = null;

  ns.compare = {
    zoom: function (_relayouts, _clicks, view) {
      if (!document.getElementById("compare")) return [ns.no_update, ns.no_update, ns.no_update];
      const style = { display: view && (view.from || view.to) ? "" : "none" };
      const keep = [ns.no_update, ns.no_update, style], whole = [null, null, { display: "none" }];
      const triggered = ns.callback_context.triggered;
      if (!triggered.length) return keep;
      const { prop_id: by, value } = triggered[0];
      if (by.startsWith("compare-whole")) return value ? whole : keep;
      if (by.startsWith("view")) {  // a range of one alignment means nothing in another
        const before = align;
        align = (view && view.align) || "step";
        return before && before !== align ? whole : keep;
      }
      const low = value && value["xaxis.range[0]"], high = value && value["xaxis.range[1]"];
      if (low === undefined || high === undefined || value === null) return keep;
      return [Number(low).toPrecision(8), Number(high).toPrecision(8), { display: "" }];
    },
  };
})();
