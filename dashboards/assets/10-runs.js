// The table of runs: its cells, its order and its selection.
(function () {
  "use strict";
  const ns = (window.dash_clientside = window.dash_clientside || {});
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const el = (...parts) => React.createElement(...parts);
  const skeleton = () => el("span", { className: "skeleton" });
  const unread = (row) => !row || (!row.group && !row.ready && row.last_step === null);
  const link = (name) => "/run/" + encodeURIComponent(name);

  cells.RunName = (props) => {
    const row = props.data;
    if (!row) return skeleton();
    if (row.group) {
      return el("button", {
        className: "fold", "aria-expanded": !row.folded, onClick: () => fold(row),
      }, el("span", { className: "cut", title: row.shown }, (row.folded ? "\u25b8 " : "\u25be ") + row.shown),
        el("span", { className: "count" }, row.count));
    }
    return el("a", {
      href: link(row.name), className: "run-link", title: row.title || row.shown,
      onClick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        window.collapseLab.go(link(row.name));
      },
    }, row.shown);
  };
  const cut = (text, kind) => el("span", { className: "cut" + kind, title: text }, text);
  cells.Setting = (props) => props.value ? cut(props.value, "") : null;
  cells.RunState = (props) => props.data && props.data.state
    ? el("span", { className: "state " + props.data.state }, props.data.state) : null;
  cells.RunHealth = (props) => {
    const row = props.data;
    if (unread(row)) return skeleton();
    if (!row.health) return null;
    return el("span", { className: "badge " + row.health }, row.judged);
  };
  cells.FirstAlarm = (props) => {
    const row = props.data;
    if (!row || !row.mechanism) return null;
    if (row.alarm_step === null || row.alarm_step === undefined) return cut(row.mechanism, " muted");
    return el("span", { className: "first-alarm", title: row.mechanism },
      el("span", { className: "at" }, row.alarm_step.toLocaleString("en")), el("span", { className: "why" }, row.mechanism));
  };
  cells.Lead = (props) => {
    const lead = props.data && props.data.lead;
    if (lead === null || lead === undefined) return null;
    return el("span", { className: lead > 0 ? "lead good" : "lead" }, (lead > 0 ? "+" : "") + lead);
  };
  cells.Steps = (props) => {
    const row = props.data;
    if (unread(row)) return skeleton();
    if (row.group || row.last_step === null) return null;
    const share = row.planned ? Math.min(1, row.reached / row.planned) : null;
    return el("span", { className: "steps" }, row.reached.toLocaleString("en"),
      share !== null && share < 1
        ? el("span", { className: "meter" }, el("span", { style: { width: 100 * share + "%" } })) : null);
  };
  cells.Age = (props) => props.data && props.data.age !== undefined
    ? el("span", { title: new Date(1000 * props.data.last_time).toLocaleString() }, ago(props.data.age)) : null;
  cells.Sparkline = (props) => {
    const row = props.data;
    if (unread(row)) return skeleton();
    const points = row.spark;
    if (!points || points.length < 2) return null;
    const known = points.filter((y) => y !== null);
    if (!known.length) return null;
    const low = Math.min(...known), high = Math.max(...known), size = high - low || 1;
    const width = 128, height = 26;
    const x = (at) => (2 + at * (width - 4) / (points.length - 1)).toFixed(1);
    const y = (value) => (height - 3 - (value - low) / size * (height - 6)).toFixed(1);
    let path = "", down = false;
    points.forEach((value, at) => {
      if (value !== null) path += (down ? "L" : "M") + x(at) + " " + y(value);
      down = value !== null;
    });
    let mark = null;
    if (row.alarm_share !== null) {
      const at = x(row.alarm_share * (points.length - 1));
      mark = el("line", { x1: at, x2: at, y1: 0, y2: height, className: "spark-alarm " + row.alarm_severity });
    }
    return el("svg", {
      width, height, viewBox: `0 0 ${width} ${height}`, className: "spark", role: "img",
      "aria-label": `${row.reward} from ${points.find((v) => v !== null)} to ${known[known.length - 1]}`,
    }, mark, el("path", { d: path }));
  };

  function ago(seconds) {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= size) return Math.round(seconds / size) + " " + unit;
    }
    return Math.round(seconds) + " s";
  }

  function fold(row) {
    const id = { type: "view", name: "closed" };
    const now = new URLSearchParams(location.search).get("closed");
    const closed = new Set((now || "").split(",").filter(Boolean));
    row.folded ? closed.delete(row.name) : closed.add(row.name);
    ns.set_props(id, { value: [...closed].join(",") });
  }

  // Where the grid has a view's rows from. Not a callback: dashboards/runs_page.py says why.
  let latest = null;
  const source = (view) => ({
    getRows: function (params) {
      latest = params;
      const by = params.sortModel[0];
      const sort = by ? (by.sort === "desc" ? "-" : "") + by.colId : "";
      window.collapseLab.setLater({ type: "view", name: "sort" }, { value: sort });
      const query = new URLSearchParams({ ...view, sort, start: params.startRow, end: params.endRow });
      fetch("/_rows?" + query)
        .then((answer) => { if (!answer.ok) throw new Error(answer.status); return answer.json(); })
        .then((found) => {
          params.successCallback(found.rows, found.total);
          if (params === latest) window.collapseLab.setLater("runs-count", { children: found.count });
        })
        .catch(() => params.failCallback());
    },
  });

  let ours = null, filters = null;
  ns.runs = {
    ask: function (view, _request) {
      const { sort, ...rest } = view || {};
      dash_ag_grid.getApiAsync("runs-grid").then((api) => {
        const asked = JSON.stringify(rest);
        if (asked === filters && ours && api.getGridOption("datasource") === ours) return;
        [filters, ours] = [asked, source(rest)];
        api.setGridOption("datasource", ours);
      });
      return ns.no_update;
    },
    compare: function (rows) {
      const names = (rows || []).filter((row) => !row.group).map((row) => row.name);
      if (names.length < 2) return [ns.no_update, { display: "none" }, ns.no_update];
      const runs = names.map(encodeURIComponent).join(",");
      return ["/compare?runs=" + encodeURIComponent(runs), {}, `Compare ${names.length} runs`];
    },
  };

  // j and k move through the rows, Enter opens one; the run page goes on in the same order
  function keepOrder(api) {
    const names = [];
    api.forEachNode((node) => { if (node.data && !node.data.group) names.push(node.data.name); });
    if (names.length) sessionStorage.setItem("order", JSON.stringify(names));
  }
  window.addEventListener("click", () => saveOrder(), true);
  window.addEventListener("keydown", () => saveOrder(), true);
  function saveOrder() {
    if (location.pathname === "/" && window.dash_ag_grid && document.getElementById("runs-grid")) {
      dash_ag_grid.getApiAsync("runs-grid").then(keepOrder);
    }
  }
  window.collapseLab.refreshRuns = () => {
    if (location.pathname === "/" && document.getElementById("runs-grid")) {
      dash_ag_grid.getApiAsync("runs-grid").then((api) => api.refreshInfiniteCache());
    }
  };
  window.collapseLab.moveRow = (by) => dash_ag_grid.getApiAsync("runs-grid").then((api) => {
    const cell = api.getFocusedCell();
    const row = Math.max(0, Math.min(api.getDisplayedRowCount() - 1, cell ? cell.rowIndex + by : 0));
    api.ensureIndexVisible(row);
    api.setFocusedCell(row, "name");
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.closest || !event.target.closest(".runs-grid .ag-cell")) return;
    dash_ag_grid.getApiAsync("runs-grid").then((api) => {
      const cell = api.getFocusedCell();
      const node = cell && api.getDisplayedRowAtIndex(cell.rowIndex);
      if (!node || !node.data) return;
      node.data.group ? fold(node.data) : window.collapseLab.go(link(node.data.name));
    });
  });
})();
