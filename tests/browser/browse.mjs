// The pages in a real browser. Usage: node browse.mjs DEPS BASE LINK FACTS
// DEPS: folder with node_modules. LINK: the path that `wellhead open` gives. FACTS: JSON with ids that the pages need;
// facts.only: names of areas, instead of all. One line a failed check, then "N passed, N failed".
//
// An area is a file of areas/ that exports
//   pages(facts)   paths of the area's pages. Every one is looked at as described in looks.mjs; a path with rows may be
//                  given as {path, rows: true}: then its .json twin has the rows that the page shows.
//   checks         [[name, async (t) => ...], ...]; t has page, context, base, facts, storageState, browser and
//                  check(good, what, detail). Each has a page of its own, logged in.
import { createRequire } from "node:module";
import { readdirSync } from "node:fs";
import { look } from "./looks.mjs";

const [deps, base, link, factsText] = process.argv.slice(2);
const require = createRequire(`${deps}/`);
const { chromium } = require("playwright-core");
const { default: AxeBuilder } = require("@axe-core/playwright");
const facts = JSON.parse(factsText);
const counts = { passed: 0, failed: 0 };

function check(good, what, detail = "") {
  counts[good ? "passed" : "failed"] += 1;
  if (!good) console.log(`FAIL  ${what}${detail ? `: ${detail}` : ""}`);
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

async function logIn() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(base + "/");
  check((await page.textContent("main")).includes("wellhead open"), "without a session the page says how to log in");
  await page.goto(base + link);
  await page.click("button");
  await page.waitForURL(`${base}/`);
  const again = await page.goto(base + link);
  await page.click("button");
  await page.waitForSelector("[role=alert]");
  check(again.ok() && (await page.textContent("main")).includes("used already"), "a link works once");
  const state = await context.storageState();
  check(state.cookies.every((c) => c.httpOnly && c.sameSite === "Strict"), "the cookie is HttpOnly and SameSite=Strict");
  await context.close();
  return state;
}

const storageState = await logIn();
const areas = [];
for (const file of readdirSync(new URL("areas/", import.meta.url)).sort()) {
  const name = file.replace(/\.mjs$/, "");
  if (!facts.only || facts.only.includes(name)) areas.push({ name, ...(await import(`./areas/${file}`)) });
}

async function run(area, [name, what]) {
  const context = await browser.newContext({ storageState });
  const page = await context.newPage();
  try {
    await what({ page, context, base, facts, storageState, browser, check: (good, text, detail) => check(good, `${area.name}: ${text}`, detail) });
  } catch (error) {
    check(false, `${area.name}: ${name}`, error.message);
  }
  await context.close();
}

const pages = areas.flatMap((area) => area.pages?.(facts) ?? []).map((p) => (typeof p === "string" ? { path: p } : p));
await look({ browser, base, storageState, pages, check, AxeBuilder });
for (const area of areas) for (const one of area.checks ?? []) await run(area, one);
await browser.close();
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed ? 1 : 0);
