// Bundles the pages' script with htmx and uPlot; copies uPlot alone (for files that stand alone), its stylesheet, licences.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const out = process.argv[2];
mkdirSync(out, { recursive: true });
await build({
  entryPoints: ["src/app.js"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  legalComments: "none",
  outfile: `${out}/forewarn.js`,
});
copyFileSync("node_modules/uplot/dist/uPlot.min.css", `${out}/uplot.css`);
copyFileSync("node_modules/uplot/dist/uPlot.iife.min.js", `${out}/uplot.js`);
const licences = ["htmx.org", "uplot"].map((name) => {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`));
  return `${name} ${version}\n\n${readFileSync(`node_modules/${name}/LICENSE`)}`;
});
writeFileSync(`${out}/LICENSES.txt`, licences.join(`\n${"-".repeat(72)}\n\n`));
