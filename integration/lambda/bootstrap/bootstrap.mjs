// Runs a Lambda function written for Node.js: asks the Runtime API for
// invocations, calls the handler, reports what it returned or threw.
import http from 'node:http';
import fs from 'node:fs';
import path from 'node:path';
import util from 'node:util';
import { pathToFileURL } from 'node:url';

const { hostname: host, port, pathname: secret } = new URL('http://' + process.env.AWS_LAMBDA_RUNTIME_API);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, where, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method, path: secret + '/2018-06-01/runtime' + where }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

function failure(error) {
  const known = error instanceof Error;
  return JSON.stringify({
    errorType: known ? error.name : typeof error,
    errorMessage: known ? error.message : String(error),
    trace: known && error.stack ? error.stack.split('\n') : [],
  });
}

async function load() {
  const handler = process.env._HANDLER;
  const dot = handler.lastIndexOf('.');
  const base = path.resolve(process.env.LAMBDA_TASK_ROOT, handler.slice(0, dot));
  const file = ['.mjs', '.js', '.cjs'].map((ending) => base + ending).find((name) => fs.existsSync(name));
  if (!file) {
    throw Object.assign(new Error(`Cannot find module '${handler.slice(0, dot)}' (looked for ${base} with .mjs, .js and .cjs)`), { name: 'Runtime.ImportModuleError' });
  }
  const module = await import(pathToFileURL(file));
  const name = handler.slice(dot + 1);
  const found = module[name] ?? module.default?.[name];
  if (typeof found !== 'function') {
    throw Object.assign(new Error(`${handler} is undefined or not exported`), { name: 'Runtime.HandlerNotFound' });
  }
  return found;
}

function context(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const arn = headers['lambda-runtime-invoked-function-arn'];
  const qualifier = (arn ?? '').split(':')[7] ?? '';
  return {
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: arn,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: /^[0-9]+$/.test(qualifier) ? qualifier : process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: headers['lambda-runtime-client-context'] ? JSON.parse(headers['lambda-runtime-client-context']) : undefined,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

// A handler gives its result by a promise, by a callback, or at once.
function invoke(handler, event, ctx) {
  return new Promise((resolve, reject) => {
    const result = handler(event, ctx, (error, value) => (error ? reject(error) : resolve(value)));
    if (result && typeof result.then === 'function') {
      result.then(resolve, reject);
    } else if (result !== undefined || handler.length < 3) {
      resolve(result);
    }
  });
}

// An error is one line of the log, with carriage returns for the newlines inside
// of it, as Lambda's own runtime has them.
function tell(error) {
  process.stderr.write(util.format(error).replaceAll('\n', '\r') + '\n');
}

let handler;
try {
  handler = await load();
} catch (error) {
  tell(error);
  if (error?.code === 'ERR_MODULE_NOT_FOUND' || error?.code === 'MODULE_NOT_FOUND') error.name = 'Runtime.ImportModuleError';
  else if (error instanceof SyntaxError) error.name = 'Runtime.UserCodeSyntaxError';
  await call('POST', '/init/error', failure(error));
  process.exit(1);
}
for (;;) {
  const { headers, body } = await call('GET', '/invocation/next');
  const where = '/invocation/' + headers['lambda-runtime-aws-request-id'];
  const trace = headers['lambda-runtime-trace-id'];
  if (trace) process.env._X_AMZN_TRACE_ID = trace;
  else delete process.env._X_AMZN_TRACE_ID;
  try {
    const result = await invoke(handler, JSON.parse(body), context(headers));
    await call('POST', where + '/response', JSON.stringify(result === undefined ? null : result));
  } catch (error) {
    tell(error);
    await call('POST', where + '/error', failure(error));
  }
}
