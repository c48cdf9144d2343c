// From a Vega-Lite specification to an SVG file for a page with either a light or a dark background.

import { parse, View } from "vega";
import { compile } from "vega-lite";

/** Grey with the same contrast to white and to a dark page, about 4.3 : 1. */
const ink = "#777d85";
const grid = "#80808038";

/** Hues that can be told apart on both, also by most who do not see all of them; the first is what the page is about. */
export const hues = {
  blue: "#2f81e8",
  orange: "#cf7211",
  purple: "#a565d8",
  green: "#2a9a5c",
  red: "#dd5350",
  grey: ink,
};

const config = {
  background: "transparent",
  aria: false,
  font: "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif",
  view: { stroke: null },
  title: {
    color: ink,
    fontSize: 14,
    anchor: "start",
    subtitleColor: ink,
    subtitleFontSize: 12,
    offset: 10,
  },
  header: {
    labelColor: ink,
    titleColor: ink,
    labelFontSize: 12,
    labelAnchor: "start",
    title: null,
  },
  axis: {
    labelColor: ink,
    titleColor: ink,
    titleFontWeight: "normal",
    labelFontSize: 12,
    titleFontSize: 12,
    domainColor: ink,
    tickColor: ink,
    gridColor: grid,
    labelLimit: 0,
  },
  legend: {
    labelColor: ink,
    titleColor: ink,
    labelFontSize: 12,
    labelLimit: 0,
    orient: "top",
    direction: "horizontal",
    title: null,
    symbolStrokeWidth: 2.5,
    columnPadding: 24,
  },
};

/** The SVG text. `title` and `description` are for those who do not see it. */
export async function svgOf({ title, description, ...specification }) {
  const { spec } = compile({ config, padding: 8, ...specification });
  const view = new View(parse(spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  const named = `<title>${escaped(title)}</title><desc>${escaped(description)}</desc>`;
  return (
    svg
      // A tenth of a pixel is fine enough.
      .replaceAll(/-?\d+\.\d{2,}/g, (number) => String(Number(Number(number).toFixed(1))))
      // Title and description say it; the parts need no roles and names of their own.
      .replaceAll(/ (?:role|aria-[a-z]+|class|pointer-events)="[^"]*"/g, "")
      .replace(/<svg [^>]*>/, (tag) => `${tag.slice(0, -1)} role="img">${named}`)
  );
}

const escaped = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The encoding of `label` by the hues of `all`; the legend has so many a row. */
export const colours = (all, columns = all.length) => ({
  field: "label",
  type: "nominal",
  legend: { columns },
  scale: { domain: all.map(({ label }) => label), range: all.map(({ hue }) => hue) },
});

/** The same by how lines are dashed. */
export const dashes = (all, columns = all.length) => ({
  field: "label",
  type: "nominal",
  legend: { columns },
  scale: { domain: all.map(({ label }) => label), range: all.map(({ dash = [1, 0] }) => dash) },
});
