"""Runs a Lambda function written in Python: asks the Runtime API for
invocations, calls the handler, reports what it returned or raised."""
import http.client
import importlib
import io
import json
import os
import sys
import time
import traceback

API, _, SECRET = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
BASE = "/" + SECRET + "/2018-06-01/runtime"
ROOT = os.environ["LAMBDA_TASK_ROOT"]


class Records(io.TextIOWrapper):
    """Writes what is written at once as one line of the log: as Lambda's own
    runtime does, with carriage returns for the newlines inside of it."""

    def write(self, text):
        inside = text.rstrip("\n")
        super().write(inside.replace("\n", "\r") + text[len(inside):])
        return len(text)


class Named:
    """Members of an object as attributes, None where there is none."""

    def __init__(self, members, names):
        for name in names:
            setattr(self, name, members.get(name))


class ClientContext(Named):
    """What the caller told of itself."""

    def __init__(self, told):
        Named.__init__(self, told, ("custom", "env"))
        names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
        self.client = Named(told["client"], names) if isinstance(told.get("client"), dict) else None


class Context:
    """What a handler is told of its invocation."""

    def __init__(self, headers):
        self.aws_request_id = headers.get("Lambda-Runtime-Aws-Request-Id")
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self.deadline = int(headers.get("Lambda-Runtime-Deadline-Ms") or 0)
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        qualifier = (self.invoked_function_arn or "").split(":")[7:]
        numbered = qualifier and qualifier[0].isdigit()
        self.function_version = qualifier[0] if numbered else os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        told = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = ClientContext(json.loads(told)) if told else None

    def get_remaining_time_in_millis(self):
        return max(0, self.deadline - int(time.time() * 1000))


def call(connection, method, path, body=None, headers=None):
    connection.request(method, BASE + path, body, headers or {})
    response = connection.getresponse()
    return response, response.read()


def failure(error, request_id=None):
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    trace = [line for line in traceback.format_list(frames)]
    told = {"errorMessage": str(error), "errorType": type(error).__name__}
    if request_id:
        told["requestId"] = request_id
    told["stackTrace"] = trace
    return json.dumps(told).encode()


class HandlerNotFound(Exception):
    """The module has no such function."""


def load():
    sys.path.insert(0, ROOT)
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    loaded = importlib.import_module(module.replace("/", "."))
    if not callable(getattr(loaded, name, None)):
        others = [n for n in ("handler", "lambda_handler") if callable(getattr(loaded, n, None))]
        hint = "; it has " + others[0] if others else ""
        raise HandlerNotFound("Handler '%s' missing on module '%s'%s" % (name, module, hint))
    return getattr(loaded, name)


def main():
    connection = http.client.HTTPConnection(API)
    for name in ("stdout", "stderr"):
        raw = getattr(sys, name).buffer
        setattr(sys, name, Records(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True))
    try:
        handler = load()
    except BaseException as error:
        message = str(error)
        module = os.environ["_HANDLER"].rpartition(".")[0]
        if isinstance(error, ImportError):
            kind = "Runtime.ImportModuleError"
            message = "Unable to import module '%s': %s" % (module, error)
            if isinstance(error, ModuleNotFoundError) and error.name == module.replace("/", "."):
                message += " (looked for %s.py in %s)" % (module, ROOT)
        elif isinstance(error, HandlerNotFound):
            kind = "Runtime.HandlerNotFound"
        elif isinstance(error, SyntaxError):
            kind = "Runtime.UserCodeSyntaxError"
            message = "Syntax error in module '%s': %s" % (module, error)
        else:
            kind = type(error).__name__
        told = json.loads(failure(error))
        told["errorType"], told["errorMessage"] = kind, message
        call(connection, "POST", "/init/error", json.dumps(told).encode())
        sys.stderr.write(traceback.format_exc())
        sys.exit(1)
    while True:
        response, event = call(connection, "GET", "/invocation/next")
        context = Context(response.headers)
        path = "/invocation/" + context.aws_request_id
        trace = response.headers.get("Lambda-Runtime-Trace-Id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        try:
            result = handler(json.loads(event), context)
            try:
                body = json.dumps(result, ensure_ascii=False).encode()
            except (TypeError, ValueError) as error:
                raise type("Runtime.MarshalError", (Exception,), {})(
                    "Unable to marshal response: " + str(error)
                ) from None
            answer = ("/response", body)
        except Exception as error:
            sys.stderr.write(traceback.format_exc())
            answer = ("/error", failure(error, context.aws_request_id))
        sys.stdout.flush()  # the log of an invocation ends with its answer
        sys.stderr.flush()
        call(connection, "POST", path + answer[0], answer[1])


main()
