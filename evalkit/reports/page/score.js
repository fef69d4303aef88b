"use strict";
// Draws the figures of the page, in the colours of the theme, and again when the theme changes.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("figures");
  const darker = read("colors");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const options = { displayModeBar: false, responsive: true, scrollZoom: false };

  // Colours are exchanged only under keys that name a colour: texts are left alone.
  const themed = (value, key, isDark) => {
    if (Array.isArray(value)) return value.map((item) => themed(item, key, isDark));
    if (value && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, themed(item, name, isDark)]),
      );
    }
    return isDark && /color/.test(key) && Object.hasOwn(darker, value) ? darker[value] : value;
  };

  const draw = (isDark, width) => {
    for (const [id, figure] of Object.entries(figures)) {
      const place = document.getElementById(id);
      const spec = themed(figure, "", isDark);
      const ground = getComputedStyle(document.body).backgroundColor;
      const layout = { ...spec.layout, height: place.clientHeight };
      layout.hoverlabel = { ...layout.hoverlabel, bgcolor: ground };
      if (width) layout.width = width;
      Plotly.react(place, spec.data, layout, options);
    }
  };

  // Paper is light and narrow, whatever the screen is.
  addEventListener("beforeprint", () => draw(false, 640));
  addEventListener("afterprint", () => draw(dark.matches));
  dark.addEventListener("change", () => draw(dark.matches));
  draw(dark.matches);
})();
