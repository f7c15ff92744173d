// Pictures of the pages, for docs/pages. Usage: node shots.mjs DEPS BASE LINK FACTS FOLDER
// One file for each page, light and dark, 1280 and 320 px: NAME-light-1280.webp. The browser itself encodes them.
import { createRequire } from "node:module";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";

const [deps, base, link, factsText, folder] = process.argv.slice(2);
const { chromium } = createRequire(`${deps}/`)("playwright-core");
const facts = JSON.parse(factsText);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const MAX_HEIGHT = { 1280: 1000, 320: 900 };

const first = await browser.newContext();
const door = await first.newPage();
await door.goto(base + link);
await door.click("button");
await door.waitForURL(`${base}/`);
const storageState = await first.storageState();
const blank = await first.newPage();

// PNG bytes as WebP.
const webp = (png) => blank.evaluate(async (text) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${text}`)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d").drawImage(picture, 0, 0);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/webp", quality: 0.6 })).arrayBuffer());
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
}, png.toString("base64"));

mkdirSync(folder, { recursive: true });
let bytes = 0;
for (const file of readdirSync(new URL("areas/", import.meta.url)).sort()) {
  const { shots } = await import(`./areas/${file}`);
  for (const [name, path] of Object.entries(shots?.(facts) ?? {})) {
    if (facts.only && !facts.only.includes(name)) continue;
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [1280, 320]) {
        const context = await browser.newContext({ storageState, colorScheme, viewport: { width, height: width === 320 ? 640 : 800 } });
        const page = await context.newPage();
        await page.goto(base + path);
        const height = await page.evaluate(() => document.documentElement.scrollHeight);
        const png = await page.screenshot({ clip: { x: 0, y: 0, width, height: Math.min(height, MAX_HEIGHT[width]) }, fullPage: true });
        const picture = Buffer.from(await webp(png), "base64");
        bytes += picture.length;
        writeFileSync(`${folder}/${name}-${colorScheme}-${width}.webp`, picture);
        if (facts.png) writeFileSync(`${facts.png}/${name}-${colorScheme}-${width}.png`, png);
        await context.close();
      }
    }
  }
}
await browser.close();
console.log(`${bytes} bytes of pictures`);
