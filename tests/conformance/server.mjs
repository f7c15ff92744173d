// The server under test, and a proxy that puts its token on every request, because the suite cannot.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';

// Starts the program and waits for the line that says where it listens.
export function startServer(program) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.on('error', reject);
    child.on('close', (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (!output.includes('\n')) return;
      const { port, token_file: file } = JSON.parse(output);
      const token = readFileSync(file, 'utf8').trim();
      const close = () => new Promise((done) => { child.on('close', done); child.kill('SIGTERM'); });
      resolve({ origin: `http://127.0.0.1:${port}`, port, token, close });
    });
  });
}

// Everything else goes through untouched, except that the proxy's own name in Host and Origin becomes the server's.
export function startProxy({ port, origin, token }) {
  return new Promise((resolve) => {
    const proxy = http.createServer((request, response) => {
      const own = `localhost:${proxy.address().port}`;
      const headers = ['Authorization', `Bearer ${token}`];
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        const [name, value] = request.rawHeaders.slice(i, i + 2);
        const mine = { host: own, origin: `http://${own}` }[name.toLowerCase()] === value;
        if (name.toLowerCase() === 'authorization') continue;
        headers.push(name, !mine ? value : name.toLowerCase() === 'host' ? `127.0.0.1:${port}` : origin);
      }
      const onward = http.request({ host: '127.0.0.1', port, path: request.url, method: request.method, headers, setDefaultHeaders: false },
        (answer) => { response.writeHead(answer.statusCode, answer.rawHeaders); answer.pipe(response); });
      onward.on('error', () => response.destroy());
      request.pipe(onward);
    });
    proxy.listen(0, 'localhost', () => resolve({
      url: `http://localhost:${proxy.address().port}/mcp`,
      close: () => { proxy.close(); proxy.closeAllConnections(); },
    }));
  });
}
