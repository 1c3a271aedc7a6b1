/* Draws the charts in the colours of the theme, and again when it changes. */
(function () {
  "use strict";
  var figures = JSON.parse(document.getElementById("figures").textContent);
  /* Each farthest from those before it and from the grey, also as seen without red, green or blue
     cones, among colours that stand out from the ground. */
  var themes = {
    light: {
      list: ["#0072b2", "#dd7711", "#663311", "#9900ff", "#bb8866", "#4422aa", "#992255", "#cc55ff", "#663377", "#995500"],
      ink: "#1b1f24", muted: "#57606a", grid: "#e2e6eb", rest: "#98a2ae", good: "#0072b2", bad: "#d55e00", ground: "#ffffff",
      diverging: [[0, "#2166ac"], [0.25, "#92c5de"], [0.5, "#f7f7f7"], [0.75, "#f4a582"], [1, "#b2182b"]],
      sequential: [[0, "#f3f7fb"], [0.35, "#b3cde3"], [0.7, "#5a92c4"], [1, "#1c4f82"]]
    },
    dark: {
      list: ["#56b4e9", "#ff7711", "#aa00ff", "#ffcc99", "#886633", "#ccee66", "#00ffdd", "#5566cc", "#cc8877", "#99ff00"],
      ink: "#eceff3", muted: "#aab4c0", grid: "#2d3640", rest: "#7d8894", good: "#56b4e9", bad: "#f0883e", ground: "#14181d",
      diverging: [[0, "#4f9ddb"], [0.25, "#2f5f86"], [0.5, "#232a32"], [0.75, "#8a4a34"], [1, "#ef7a53"]],
      sequential: [[0, "#1b232c"], [0.35, "#274a68"], [0.7, "#3f82b5"], [1, "#8ecbff"]]
    }
  };

  function faded(colour, alpha) {
    var n = parseInt(colour.slice(1), 16);
    return "rgba(" + (n >> 16) + "," + ((n >> 8) & 255) + "," + (n & 255) + "," + alpha + ")";
  }
  function told(value, theme) {
    if (typeof value === "string" && value.charAt(0) === "@") {
      var parts = value.slice(1).split("/");
      var name = parts[0];
      var found = /^\d+$/.test(name) ? theme.list[Number(name) % theme.list.length] : theme[name];
      if (found === undefined) { return value; }
      return parts.length > 1 ? faded(found, parts[1]) : found;
    }
    if (Array.isArray(value)) { return value.map(function (item) { return told(item, theme); }); }
    if (value && typeof value === "object") {
      var made = {};
      Object.keys(value).forEach(function (key) { made[key] = key === "customdata" || key === "ticktext" || key === "name" || key === "label" && Array.isArray(value[key]) ? value[key] : told(value[key], theme); });
      return made;
    }
    return value;
  }
  function webgl() {
    try { var c = document.createElement("canvas"); return Boolean(window.WebGLRenderingContext && (c.getContext("webgl2") || c.getContext("webgl"))); } catch (e) { return false; }
  }
  var has3d = webgl();
  /* Without WebGL: the same points, seen from a corner. */
  function flattened(figure) {
    var symbols = ["circle", "square", "diamond", "triangle-up", "cross", "star", "x", "pentagon", "hexagon", "triangle-down"];
    return {
      data: figure.data.map(function (t, place) {
        return { type: "scatter", mode: "markers", name: t.name, hovertemplate: t.hovertemplate,
          marker: { color: t.marker.color, size: 5, opacity: 0.75, symbol: symbols[place % symbols.length] },
          x: t.x.map(function (x, i) { return 0.87 * (x - t.y[i]); }),
          y: t.x.map(function (x, i) { return t.z[i] - 0.5 * (x + t.y[i]); }) };
      }),
      layout: { height: figure.layout.height, showlegend: true,
        xaxis: { title: { text: "Three axes seen from a corner: this browser has no WebGL" }, zeroline: false, showticklabels: false },
        yaxis: { zeroline: false, showticklabels: false } }
    };
  }
  function is3d(figure) { return figure.data.length > 0 && figure.data[0].type === "scatter3d"; }

  function draw(div, theme) {
    var figure = figures[div.dataset.chart];
    if (is3d(figure) && !has3d) { figure = flattened(figure); }
    var small = div.clientWidth < 480;
    var layout = told(figure.layout, theme);
    layout.font = { family: "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif", size: small ? 10 : 12, color: theme.ink };
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.margin = { l: 8, r: small ? 12 : 28, t: 24, b: 40 };
    layout.hoverlabel = { bgcolor: theme.ground, font: { color: theme.ink } };
    layout.legend = Object.assign({ orientation: "h", y: 0, yref: "container", yanchor: "bottom", x: 0, font: { size: small ? 10 : 12 } }, layout.legend);
    if (layout.showlegend) { layout.margin.b = small ? 110 : 90; }
    ["xaxis", "yaxis"].forEach(function (name) {
      if (!layout[name]) { return; }
      layout[name].gridcolor = theme.grid; layout[name].linecolor = theme.grid; layout[name].color = theme.muted;
      layout[name].tickfont = { color: theme.ink, size: small ? 10 : 12 };
      layout[name].zerolinecolor = theme.muted;
      layout[name].fixedrange = true;
      if (small && name === "yaxis" && layout.yaxis.ticktext) {
        layout.yaxis.ticktext = layout.yaxis.ticktext.map(function (text) { return text.length > 18 ? text.slice(0, 17) + "\u2026" : text; });
      }
    });
    (layout.shapes || []).forEach(function (shape) { if (small && shape.label) { shape.label.font.size = 9; } });
    var data = told(figure.data, theme);
    if (small) {
      data.forEach(function (t) {
        if (t.colorbar) { t.showscale = false; }
        if (t.type === "sankey") { t.textfont.size = 9; }
      });
    }
    Plotly.react(div, data, layout, { responsive: true, displayModeBar: false });
  }

  var root = document.documentElement, button = document.getElementById("theme");
  var charts = Array.prototype.slice.call(document.querySelectorAll("[data-chart]"));
  var prefers = window.matchMedia("(prefers-color-scheme: dark)");
  function show(name) {
    var theme = themes[name];
    root.dataset.theme = name;
    button.setAttribute("aria-pressed", String(name === "dark"));
    document.querySelectorAll("[data-colour]").forEach(function (card) { card.style.setProperty("--mark", told(card.dataset.colour, theme)); });
    charts.forEach(function (div) { if (div.offsetParent !== null) { draw(div, theme); } });
  }
  button.addEventListener("click", function () { show(root.dataset.theme === "dark" ? "light" : "dark"); });
  prefers.addEventListener("change", function () { show(prefers.matches ? "dark" : "light"); });
  var before = null;
  /* Drawn again only where it must be: bands of a flow would fade in while the page is printed. */
  window.addEventListener("beforeprint", function () { if (root.dataset.theme === "dark") { before = "dark"; show("light"); } });
  window.addEventListener("afterprint", function () { if (before) { show(before); before = null; } });
  var wanted = /^#only=(.+)$/.exec(window.location.hash);
  if (wanted) {
    document.body.classList.add("only");
    var item = document.getElementById(decodeURIComponent(wanted[1]));
    if (item) { item.classList.add("shown"); }
    show("light");
  } else {
    show(prefers.matches ? "dark" : "light");
  }
  document.body.dataset.drawn = "yes";
})();
