// node build.mjs FOLDER: bundles the page into FOLDER. build.sh calls this.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2] ?? "dist";
const license = readFileSync("node_modules/uplot/LICENSE", "utf8").trim();

mkdirSync(folder, { recursive: true });
await build({
  entryPoints: { app: "src/main.js" },
  outdir: folder,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022", "chrome105", "firefox110", "safari16"],
  charset: "utf8",
  legalComments: "none", // the banner carries the one that is due
  banner: { js: `/*! Contains uPlot:\n\n${license}\n*/`, css: `/*! Contains uPlot's style sheet (MIT): see app.js */` },
  logLevel: "warning",
});
for (const name of ["index.html", "favicon.svg"]) copyFileSync(join("src", name), join(folder, name));
