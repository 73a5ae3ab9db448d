"""The process in which JavaScript runs: V8 without files, network, or anything but the language itself."""

import json
import sys
from typing import Any

from py_mini_racer import JSEvalException, JSOOMException, JSPromise, JSTimeoutException, MiniRacer

from watchkeeper.evals.promptfoo.sandboxed import limit_memory, serve

OVERHEAD_BYTES = 128 * 1024 * 1024
"""What V8 sets aside as its heap grows, beside what the script itself is given."""

_PRELUDE = """
(() => {
  const {stringify} = JSON;
  const {isFinite} = Number;
  const make = Function, text = String, Pattern = RegExp, {defineProperty} = Object;
  const seal = value => {
    const kind = value === null ? 'null' : typeof value;
    if (kind === 'number' && !isFinite(value)) return stringify({kind, text: text(value)});
    if (kind === 'object' || kind === 'string' || kind === 'number' || kind === 'boolean') {
      return stringify({kind, value});
    }
    return stringify({kind});
  };
  const refuse = error => stringify({error: text(error instanceof Error ? `${error.name}: ${error.message}` : error)});
  const attempt = work => {
    try {
      const result = work();
      if (result !== null && typeof result === 'object' && typeof result.then === 'function') {
        return result.then(value => { try { return seal(value); } catch (error) { return refuse(error); } }, refuse);
      }
      return seal(result);
    } catch (error) {
      return refuse(error);
    }
  };
  const silent = {};
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace']) silent[name] = () => undefined;
  globalThis.console = silent;
  const absent = name => {
    throw new Error(`there is no \\`require\\` here (${name}): a script must hold all that it needs`);
  };
  const load = source => {
    const module = {exports: {}};
    make('module', 'exports', 'require', source)(module, module.exports, absent);
    return module.exports;
  };
  const chosen = (exported, name) => {
    if (name && exported !== null && exported !== undefined && typeof exported[name] === 'function') {
      return exported[name];
    }
    if (typeof exported === 'function') return exported;
    if (exported && typeof exported.default === 'function') return exported.default;
    throw new Error('the file must export a function, by itself or as its default');
  };
  defineProperty(globalThis, '__watchkeeper', {value: Object.freeze({
    run: (body, names, values) => attempt(() => make(...names, body)(...values)),
    call: (source, name, values) => attempt(() => chosen(load(source), name)(...values)),
    search: (pattern, subject) => {
      let compiled;
      try { compiled = new Pattern(pattern); } catch (error) { return refuse(error); }
      return seal(compiled.test(subject));
    },
  })});
})()
"""


class _Machine:
    def __init__(self, memory_bytes: int, timeout_s: float) -> None:
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._context = MiniRacer()
        self._context.eval(_PRELUDE)

    def answer(self, request: Any) -> Any:
        """Run what is asked for: `[function, argument, ...]` of the prelude."""
        function, *arguments = request
        call = f"__watchkeeper.{function}({', '.join(map(json.dumps, arguments))})"
        try:
            result = self._context.eval(call, timeout_sec=self._timeout_s, max_memory=self._memory_bytes)
            if isinstance(result, JSPromise):
                result = result.get(timeout=self._timeout_s)
        except (JSTimeoutException, TimeoutError):
            return {"error": "it did not end in time and was stopped", "fate": "time"}
        except JSOOMException:
            return {"error": "it used more memory than it may", "fate": "memory"}
        except JSEvalException as error:
            return {"error": str(error)[:2000]}
        return json.loads(str(result))


if __name__ == "__main__":
    memory = int(sys.argv[1])
    machine = _Machine(memory, float(sys.argv[2]))
    limit_memory(memory + OVERHEAD_BYTES)
    serve(machine.answer)
