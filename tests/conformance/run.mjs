// Runs scenarios of the MCP conformance suite one by one, against a client or against a server, judges each against
// the baseline, prints a line for each and the totals. Started by ./run.
//
// Each scenario is a process of its own: the suite's own way to run a set looks only at its checks,
// and takes a client that crashed or never came back for a good one.

import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startProxy, startServer } from './server.mjs';

const REVISIONS = ['2025-11-25', '2026-07-28'];
const TIMEOUT_MS = 30000 * Number(process.env.TIMEOUT_FACTOR ?? 1);
// A server is asked one thing at a time: its answers must not depend on luck.
const AT_ONCE = process.argv[2] === 'server' ? 1 : 2;

// What a server with read-only tools, and nothing else, can be held to; the suite's other server scenarios call tools and
// resources of fixed names.
const SERVER_SCENARIOS = {
  '2025-11-25': ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection'],
  '2026-07-28': ['server-stateless', 'tools-list', 'dns-rebinding-protection', 'caching', 'http-header-validation',
    'server-sse-multiple-streams', 'input-required-result-unsupported-methods'],
};

const here = dirname(fileURLToPath(import.meta.url));
const [role, deps, program, ...only] = process.argv.slice(2);
const suite = join(resolve(deps), 'node_modules/@modelcontextprotocol/conformance');
const YAML = createRequire(join(suite, 'package.json'))('yaml');
const out = resolve('build/conformance');

function fail(message) {
  process.stderr.write(`tests/conformance: ${message}\n`);
  process.exit(2);
}

// ---- what runs, and what may fail ----

const plan = REVISIONS.flatMap((revision) =>
  (role === 'server' ? SERVER_SCENARIOS[revision] : YAML.parse(readFileSync(join(suite, `requirements/${revision}.yaml`), 'utf8')).client)
    .filter((scenario) => only.length === 0 || only.includes(scenario))
    .map((scenario) => ({ revision, scenario })),
);

// Every entry carries its reason as a comment on its line; one without is refused.
function readBaseline(path) {
  const entries = new Map();
  let section;
  readFileSync(path, 'utf8').split('\n').forEach((line, index) => {
    if (/^\s*(#.*)?$/.test(line)) return;
    if (/^(client|server):\s*$/.test(line)) { section = line.split(':')[0]; return; }
    const entry = line.match(/^\s+-\s+([^\s#:]+)(?::([^\s#]+))?\s*#\s*(\S.*)$/);
    if (!entry) fail(`${path}:${index + 1}: not '- scenario[:check]  # reason'`);
    const [, scenario, check, reason] = entry;
    if (section !== role) return;
    if (!entries.has(scenario)) entries.set(scenario, { whole: undefined, checks: new Map() });
    if (check) entries.get(scenario).checks.set(check, reason);
    else entries.get(scenario).whole = reason;
  });
  return entries;
}
const baseline = readBaseline(join(here, 'baseline.yml'));

// ---- one scenario ----

const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;
const server = role === 'server' ? await startServer(resolve(program)) : undefined;
const proxy = server ? await startProxy(server) : undefined;
const target = server ? ['--url', proxy.url]
  : ['--command', `exec ${[join(here, 'guard'), program].map(quote).join(' ')}`];

function runSuite(args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, [join(suite, 'dist/index.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => { output += chunk; });
    child.stderr.on('data', (chunk) => { output += chunk; });
    // The suite has its own time limit; this one catches a suite that hangs.
    const watchdog = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS + 30000);
    child.on('close', (code) => {
      clearTimeout(watchdog);
      done({ code, output });
    });
  });
}

const SEVERITY = { FAILURE: 3, WARNING: 2, SUCCESS: 1 };

// An id may occur several times; the worst of its results counts.
function collapse(checks) {
  const byId = new Map();
  for (const check of checks) {
    const known = byId.get(check.id);
    if (!known || (SEVERITY[check.status] ?? 0) > (SEVERITY[known.status] ?? 0)) byId.set(check.id, check);
  }
  return [...byId.values()];
}

const short = (text) => String(text).replace(/\s+/g, ' ').trim().slice(0, 240);

// How the client itself ended: a crash and a client that never comes back are never excused.
function endOf(output, code) {
  const exit = Number(output.match(/Client exited with code (-?\d+)/)?.[1] ?? 0);
  if (code === null) return 'the suite did not come back and was stopped';
  if (/CLIENT TIMED OUT|Client timed out|scenario-timeout/.test(output)) return `no end within ${TIMEOUT_MS / 1000} s`;
  if (exit > 128 && exit < 160) return `the client was ended by signal ${exit - 128}`;
  return undefined;
}

function judge(scenario, checks, output, code) {
  const known = baseline.get(scenario);
  const results = collapse(checks ?? []);
  const passing = results.filter((c) => c.status === 'SUCCESS');
  const failing = results.filter((c) => c.status === 'FAILURE' || c.status === 'WARNING');
  const excused = failing.filter((c) => known?.whole ?? known?.checks.get(c.id));
  const problems = failing.filter((c) => !excused.includes(c)).map((c) => `${c.id}: ${short(c.errorMessage ?? c.description ?? c.status)}`);
  const end = endOf(output, code);
  if (end) problems.push(end);
  if (checks === undefined) problems.push(`no result: ${short(output)}`);
  else if (excused.length === 0 && /CLIENT EXITED WITH ERROR/.test(output)) problems.push('the client ended with an error');
  const stale = known?.whole
    ? failing.length === 0
    : [...(known?.checks.keys() ?? [])].some((id) => passing.some((c) => c.id === id));
  if (problems.length === 0 && stale) problems.push('passes now: take it out of baseline.yml');
  if (problems.length > 0) return { verdict: 'FAIL', note: problems.slice(0, 3).join('; ') };
  if (known?.whole) return { verdict: 'XFAIL', note: known.whole };
  if (passing.length === 0) return { verdict: 'FAIL', note: 'nothing was checked' };
  const more = excused.length > 0 ? `; ${excused.length} failed as the baseline expects` : '';
  return { verdict: 'PASS', note: `${passing.length} checks${more}` };
}

async function runOne({ revision, scenario }) {
  const started = performance.now();
  const folder = join(out, `${role}-${revision}`, scenario);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { code, output } = await runSuite([role, '--scenario', scenario, '--spec-version', revision,
    '--timeout', String(TIMEOUT_MS), '-o', folder, ...target]);
  writeFileSync(join(folder, 'suite.log'), output);
  const file = readdirSync(folder, { recursive: true }).find((name) => basename(name) === 'checks.json');
  const checks = file ? JSON.parse(readFileSync(join(folder, file), 'utf8')) : undefined;
  return { ...judge(scenario, checks, output, code), folder, seconds: (performance.now() - started) / 1000 };
}

// ---- all of them ----

if (plan.length === 0) fail('no such scenario');
const width = Math.max(...plan.map((p) => p.scenario.length));
const count = { PASS: 0, FAIL: 0, XFAIL: 0 };
let next = 0;
async function worker() {
  while (next < plan.length) {
    const item = plan[next++];
    const result = await runOne(item);
    count[result.verdict] += 1;
    const where = result.verdict === 'FAIL' ? `  [${result.folder}]` : '';
    console.log(`${result.verdict.padEnd(5)} ${item.revision}  ${item.scenario.padEnd(width)}  ` +
      `${result.seconds.toFixed(1).padStart(5)} s  ${result.note}${where}`);
  }
}
await Promise.all(Array.from({ length: Math.min(AT_ONCE, plan.length) }, worker));
// What the suite does not look at: a common client, from the address alone.
async function runAgent() {
  const child = spawn(process.execPath, [join(here, 'agent.mjs'), deps, server.origin, server.token], { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = new Promise((done) => child.on('close', done));
  for await (const line of createInterface({ input: child.stdout })) {
    count[line.startsWith('ok') ? 'PASS' : 'FAIL'] += 1;
    console.log(line);
  }
  if (await end !== 0 && count.FAIL === 0) count.FAIL += 1;
}
if (server) {
  if (only.length === 0) await runAgent();
  proxy.close();
  await server.close();
}
if (count.XFAIL > 0) console.log(`also: ${count.XFAIL} failed as expected (baseline.yml)`);
if (process.env.TEST_TOTALS) appendFileSync(process.env.TEST_TOTALS, `${count.PASS} ${count.FAIL}\n`);
console.log(`${count.PASS} passed, ${count.FAIL} failed`);
process.exit(count.FAIL > 0 ? 1 : 0);
