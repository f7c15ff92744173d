// Who may see the workspace, and the page on which a person allows an agent.
import http from "node:http";

const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; // of RFC 7636, appendix B

export const pages = () => ["/tokens"];

// Where the agent waits for its code; gives the query of what it was sent.
function agent() {
  return new Promise((ready) => {
    let arrived;
    const came = new Promise((done) => { arrived = done; });
    const server = http.createServer((request, response) => {
      response.end("you can close this window");
      if (request.url.startsWith("/callback")) arrived(new URL(request.url, "http://x").searchParams);
    });
    server.listen(0, "127.0.0.1", () => ready({ redirect: `http://127.0.0.1:${server.address().port}/callback`, came, close: () => server.close() }));
  });
}

async function question(base, redirect) {
  const answer = await fetch(`${base}/oauth/register`, { method: "POST", body: JSON.stringify({ client_name: "A <b>test</b>", redirect_uris: [redirect] }) });
  const { client_id: client } = await answer.json();
  return `${base}/oauth/authorize?` + new URLSearchParams({ response_type: "code", client_id: client, redirect_uri: redirect, state: "s",
    code_challenge: CHALLENGE, code_challenge_method: "S256", resource: `${base}/mcp` });
}

export const checks = [
  ["a person allows an agent, which gets its code", async ({ page, base, check }) => {
    const waiting = await agent();
    await page.goto(await question(base, waiting.redirect));
    const text = await page.textContent("main");
    check(text.includes("May “A <b>test</b>” read this workspace?"), "the page says who asks, as text");
    check(text.includes(new URL(waiting.redirect).origin), "the page says where the answer goes");
    await page.click("button[value=allow]");
    const query = await waiting.came;
    check(query.get("code")?.length > 20 && query.get("iss") === base && query.get("state") === "s", "the browser brings the code to the agent");
    waiting.close();
  }],
  ["a person denies it", async ({ page, base, check }) => {
    const waiting = await agent();
    await page.goto(await question(base, waiting.redirect));
    await page.click("button[value=deny]");
    const query = await waiting.came;
    check(query.get("error") === "access_denied" && !query.has("code"), "the agent gets no code");
    waiting.close();
  }],
  ["from another site", async ({ page, base, check }) => {
    // After a link from another site the browser keeps the cookie back; one click on our page brings it.
    const waiting = await agent();
    const address = await question(base, waiting.redirect);
    const other = http.createServer((request, response) => {
      response.setHeader("Content-Type", "text/html");
      response.end(`<a id="go" href="${address.replaceAll("&", "&amp;")}">go</a>`);
    });
    await new Promise((done) => other.listen(0, "localhost", done));
    await page.goto(`http://localhost:${other.address().port}/`);
    await page.click("#go");
    await page.click("text=go on");
    check((await page.textContent("main")).includes("read this workspace?"), "a session is found after one click");
    other.close();
    waiting.close();
  }],
];

export const shots = () => ({ tokens: "/tokens" });
