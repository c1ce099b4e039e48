"""The app: Dash and plotly over run folders. `create_app` makes it, `collapse-lab dash` serves it.

How to add to it, in one file and one line:

*A tab of the run page* is a module with `TAB = Tab(key, title, layout, callbacks)` and a line in
`tabs.TABS`; *a page* is `PAGE = Page(path, title, layout, callbacks)` and a line in `pages.PAGES`.

- `layout(desk, view) -> Component` (a tab's also takes the run's name) is called whenever a person
  navigates. `view` is the query string as a dict.
- `callbacks(app, desk)` registers the page's callbacks, once. Component ids are `"<key>-..."`.
- A control whose state belongs in the URL has `id=control("name")` and a `value`; then the link
  is kept up to date, `layout` gets the value back as `view.get("name")`, and callbacks take
  `Input("view", "data")` (a dict). What JavaScript sets is a `remembered("name", view)`.
- Callbacks of a tab take `State("run", "data")`, the run's name, and get its data by
  `desk.columns(name)`, `desk.alarms(name)`, `desk.folder(name)`, `desk.index.summary(name)`. A name
  is never joined to a path elsewhere: `Root.folder` refuses what is not in the root.
- Nothing polls by `dcc.Interval`: each of its ticks costs a page with a hundred panels more than
  the server. assets/00-shell.js asks `/_pulse` every second and, when the run has changed, sets
  the stores "run-tick" (state, alarms, age) and "signals-tick" (rows); take those as `Input`. A
  page with `parts.waiting()` in it is laid out anew when something has changed.
- What a run says of itself (names, messages, samples) is shown through `collapse_lab.inert`.
- Figures are plain dicts with `layout=style.layout(theme, ...)`; `Input("theme", "data")` is
  "light" or "dark" and colours come from `style.PALETTES[theme]`, those of the CSS variables.
  Text that plotly draws goes through `style.inert`.
- Small pieces (badge, empty state, card) are in `parts`. What is wrong is told by raising
  `parts.Notice(title, text)` in a layout.
"""
