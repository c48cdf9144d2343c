/**
 * The report of `keepline load --html`: figures, latency by percentile, the run over time, errors and settings, of all clients beside
 * each other. What is shown is in the page itself; nothing is loaded.
 */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import type { PageContent } from "../../cli/load/html.ts";
import { Page } from "./page.tsx";
import "../base.css";
import "./page.css";

const content = JSON.parse(document.getElementById("content")?.textContent ?? "") as PageContent;
const place = document.getElementById("page") as HTMLElement;
place.textContent = "";
render(<Page content={content} />, place);
