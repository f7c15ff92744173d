// Full-text search.
export const pages = () => ["/search", "/search?_search=checkout"];

export const checks = [
  // X10: / goes to the box of every page.
  ["search", async ({ page, base, check }) => {
    await page.goto(base + "/search?_search=checkout");
    check((await page.locator("ol.hits mark").count()) > 0, "a search marks what it found");
    check((await page.locator("ul.facets a").count()) > 0, "a search counts kinds");
  }],
];
export const shots = () => ({ search: "/search?_search=checkout" });
