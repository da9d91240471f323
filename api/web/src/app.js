import htmx from "htmx.org/dist/htmx.esm.js";
import uPlot from "uplot";

window.htmx = htmx;
