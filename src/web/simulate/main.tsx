/**
 * The report of `keepline simulate --html`: heat maps, the front of what nothing beats, a chosen cell over time, and
 * the table of all. What is shown is in the page itself; nothing is loaded.
 */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import type { PageContent } from "../../cli/simulate/html.ts";
import { Page } from "./page.tsx";
import "../base.css";
import "./page.css";

const content = JSON.parse(document.getElementById("content")?.textContent ?? "") as PageContent;
const place = document.getElementById("page") as HTMLElement;
place.textContent = "";
render(<Page content={content} />, place);
