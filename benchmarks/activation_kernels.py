"""Time and memory of Mish and β-Mish: python benchmarks/activation_kernels.py [--python TORCH_PYTHON].

Ours against the composed form, each framework's own Mish and its ReLU, under JAX (`jax.jit`), TensorFlow
with Keras (`tf.function`, no XLA) and PyTorch (eager). PyTorch needs `--python`, the interpreter of an
environment that has it: `make torch` makes one. Each framework has processes of its own.

Kernels: one call on float32 numbers, the value alone and the value with the gradient, over the floor: a
multiplication, and a multiplication with an addition, of the same size in the same framework, which are
limited by memory. Layers: the gradient of a stack of 500-wide dense layers by their weights. All are
called in turn, `--rounds` times, and ratios are taken within a round. On a CPU one thread works, on one
core, and its processor time counts, so that what else the machine does matters little; on a GPU, wall time.

Memory: what a gradient of the stack needs, in activations (rows x width) a layer: of JAX as the compiler
plans it, of the others the rise of the peak, in a process for each function. Prints Markdown.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from study.activations import beta_mish, mish
from study.environment import processor

Call = Callable[[], Any]
"""Does the work of one kernel or one gradient, to its end."""

SIZES = {"262,144 (in cache)": 2**18, "8,388,608 (in memory)": 2**23}
ROWS, WIDTH, LAYERS = 4096, 500, 8
SMALL_ROWS = 8
BETA = 1.5
FLOOR = "floor"
LABELS = {
    "relu": "ReLU, the framework's",
    "mish": "**Mish, ours**",
    "mish own": "Mish, the framework's",
    "mish composed": "Mish, composed",
    "beta_mish": "**β-Mish, ours**",
    "beta_mish composed": "β-Mish, composed",
}
ENVIRONMENT = {
    "NPROC": "1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONPATH": str(Path(__file__).parents[1]),
}
REUSING = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""For times: memory that was freed is used again, instead of being asked of the kernel page by page."""
RETURNING = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""For peaks: memory that was freed goes back to the kernel."""


class JaxSide:
    """JAX, compiled."""

    package = "jax"

    def __init__(self) -> None:
        import jax

        self.jax = jax
        self.on_cpu = jax.devices()[0].platform == "cpu"
        self.device = "CPU" if self.on_cpu else jax.devices()[0].device_kind
        jnp, softplus = jax.numpy, jax.nn.softplus
        self.functions: dict[str, Callable[[Any], Any]] = {
            "relu": jax.nn.relu,
            "mish": mish,
            "mish own": jax.nn.mish,
            "mish composed": lambda x: x * jnp.tanh(softplus(x)),
            "beta_mish": lambda x: beta_mish(x, BETA),
            "beta_mish composed": lambda x: x * jnp.tanh(BETA * softplus(x)),
        }

    def _compiled(self, function: Callable[..., Any], *arguments: Any) -> Call:
        program = self.jax.jit(function).lower(*arguments).compile()
        return lambda: self.jax.block_until_ready(program(*arguments))

    def kernels(self, size: int) -> dict[str, tuple[Call, Call]]:
        """Return name to value alone, and value with gradient."""
        x, upstream = self.jax.random.normal(self.jax.random.key(0), (2, size))

        def both(f: Callable[[Any], Any]) -> Callable[..., Any]:
            def value_and_gradient(x: Any, upstream: Any) -> tuple[Any, Any]:
                y, pullback = self.jax.vjp(f, x)
                return y, pullback(upstream)[0]

            return value_and_gradient

        calls = {
            name: (self._compiled(f, x), self._compiled(both(f), x, upstream))
            for name, f in self.functions.items()
        }
        floor = self._compiled(lambda x, upstream: (1.5 * x, x + upstream), x, upstream)
        return {FLOOR: (self._compiled(lambda x: 1.5 * x, x), floor), **calls}

    def _stack(self, name: str) -> tuple[Callable[..., Any], Any, Any]:
        f = self.functions[name]
        weights = self.jax.random.normal(self.jax.random.key(1), (LAYERS, WIDTH, WIDTH)) / WIDTH**0.5
        x = self.jax.random.normal(self.jax.random.key(2), (ROWS, WIDTH))

        def loss(weights: Any, x: Any) -> Any:
            for each in weights:
                x = f(x @ each)
            return x.sum()

        return self.jax.grad(loss), weights, x

    def stack(self, name: str) -> Call:
        """Return the gradient of a stack of layers."""
        return self._compiled(*self._stack(name))

    def memory(self, name: str) -> float:
        """Return the bytes that a gradient of the stack needs beside arguments and results."""
        gradient, *arguments = self._stack(name)
        analysis: Any = self.jax.jit(gradient).lower(*arguments).compile().memory_analysis()
        return analysis.temp_size_in_bytes


class TensorFlowSide:
    """TensorFlow's graphs, with Keras."""

    package = "tensorflow"

    def __init__(self) -> None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import keras
        import tensorflow as tf

        self.tf = tf
        devices = tf.config.list_physical_devices("GPU")
        self.on_cpu = not devices
        self.device = "CPU"
        if devices:
            self.device = tf.config.experimental.get_device_details(devices[0])["device_name"]
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.functions: dict[str, Callable[[Any], Any]] = {
            "relu": tf.nn.relu,
            "mish": mish,
            "mish own": keras.activations.mish,
            "mish composed": lambda x: x * tf.tanh(tf.nn.softplus(x)),
            "beta_mish": lambda x: beta_mish(x, BETA),
            "beta_mish composed": lambda x: x * tf.tanh(BETA * tf.nn.softplus(x)),
        }

    def _called(self, function: Callable[..., Any], *arguments: Any) -> Call:
        graph = self.tf.function(function).get_concrete_function(*arguments)
        if self.on_cpu:
            return lambda: graph(*arguments)
        return lambda: (graph(*arguments), self.tf.test.experimental.sync_devices())

    def kernels(self, size: int) -> dict[str, tuple[Call, Call]]:
        """Return name to value alone, and value with gradient."""
        x, upstream = self.tf.random.normal((size,)), self.tf.random.normal((size,))

        def both(f: Callable[[Any], Any]) -> Callable[..., Any]:
            def value_and_gradient(x: Any, upstream: Any) -> tuple[Any, Any]:
                with self.tf.GradientTape() as tape:
                    tape.watch(x)
                    y = f(x)
                return y, tape.gradient(y, x, upstream)

            return value_and_gradient

        calls = {
            name: (self._called(f, x), self._called(both(f), x, upstream))
            for name, f in self.functions.items()
        }
        floor = self._called(lambda x, upstream: (1.5 * x, x + upstream), x, upstream)
        return {FLOOR: (self._called(lambda x: 1.5 * x, x), floor), **calls}

    def stack(self, name: str, rows: int = ROWS) -> Call:
        """Return the gradient of a stack of layers."""
        f = self.functions[name]
        weights = self.tf.random.normal((LAYERS, WIDTH, WIDTH)) / WIDTH**0.5
        x = self.tf.random.normal((rows, WIDTH))

        def gradient(weights: Any, x: Any) -> Any:
            parts = self.tf.unstack(weights)
            with self.tf.GradientTape() as tape:
                tape.watch(parts)
                for each in parts:
                    x = f(x @ each)
            return tape.gradient(x, parts)

        return self._called(gradient, weights, x)

    def memory(self, name: str) -> float:
        """Return the bytes by which the peak rises during a gradient of the stack."""
        self.stack(name, SMALL_ROWS)()
        call = self.stack(name)
        if self.on_cpu:
            return _risen(call)
        before = self.tf.config.experimental.get_memory_info("GPU:0")["current"]
        self.tf.config.experimental.reset_memory_stats("GPU:0")
        call()
        return self.tf.config.experimental.get_memory_info("GPU:0")["peak"] - before


class TorchSide:
    """PyTorch, eager."""

    package = "torch"

    def __init__(self) -> None:
        import torch  # pyright: ignore[reportMissingImports] an environment of its own

        self.torch = torch
        self.on_cpu = not torch.cuda.is_available()
        self.where = "cpu" if self.on_cpu else "cuda"
        self.device = "CPU" if self.on_cpu else torch.cuda.get_device_name()
        torch.set_num_threads(1)
        functional = torch.nn.functional
        self.functions: dict[str, Callable[[Any], Any]] = {
            "relu": functional.relu,
            "mish": mish,
            "mish own": functional.mish,
            "mish composed": lambda x: x * torch.tanh(functional.softplus(x)),
            "beta_mish": lambda x: beta_mish(x, BETA),
            "beta_mish composed": lambda x: x * torch.tanh(BETA * functional.softplus(x)),
        }

    def _called(self, function: Callable[..., Any], *arguments: Any) -> Call:
        if self.on_cpu:
            return lambda: function(*arguments)
        return lambda: (function(*arguments), self.torch.cuda.synchronize())

    def kernels(self, size: int) -> dict[str, tuple[Call, Call]]:
        """Return name to value alone, and value with gradient."""
        x, upstream = (self.torch.randn(size, device=self.where) for _ in range(2))
        leaf = x.clone().requires_grad_()

        def both(f: Callable[[Any], Any]) -> Callable[..., Any]:
            return lambda x, upstream: self.torch.autograd.grad(f(x), x, upstream)

        calls = {
            name: (self._called(f, x), self._called(both(f), leaf, upstream))
            for name, f in self.functions.items()
        }
        floor = self._called(lambda x, upstream: (1.5 * x, x + upstream), x, upstream)
        return {FLOOR: (self._called(lambda x: 1.5 * x, x), floor), **calls}

    def stack(self, name: str, rows: int = ROWS) -> Call:
        """Return the gradient of a stack of layers."""
        f = self.functions[name]
        shape = (LAYERS, WIDTH, WIDTH)
        weights = (self.torch.randn(shape, device=self.where) / WIDTH**0.5).requires_grad_()
        x = self.torch.randn(rows, WIDTH, device=self.where)

        def gradient(weights: Any, x: Any) -> Any:
            parts = weights.unbind()
            for each in parts:
                x = f(x @ each)
            return self.torch.autograd.grad(x.sum(), parts)

        return self._called(gradient, weights, x)

    def memory(self, name: str) -> float:
        """Return the bytes by which the peak rises during a gradient of the stack."""
        self.stack(name, SMALL_ROWS)()
        call = self.stack(name)
        if self.on_cpu:
            return _risen(call)
        before = self.torch.cuda.memory_allocated()
        self.torch.cuda.reset_peak_memory_stats()
        call()
        return self.torch.cuda.max_memory_allocated() - before


SIDES = {"jax": JaxSide, "tensorflow": TensorFlowSide, "torch": TorchSide}


def _risen(call: Call) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024.0


def timed(
    calls: dict[str, Call], rounds: int, times: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Return the seconds of each call in each round, the order turned round each time."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for number in range(rounds):
        for name in reversed(calls) if number % 2 else calls:
            started = clock()
            for _ in range(times):
                calls[name]()
            seconds[name].append((clock() - started) / times)
    return seconds


def side(name: str, rounds: int) -> dict[str, Any]:
    """Measure one framework in this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    chosen = SIDES[name]()
    clock = time.process_time if chosen.on_cpu else time.perf_counter
    found: dict[str, Any] = {"device": chosen.device, "version": version(chosen.package), "kernels": {}}
    for label, size in SIZES.items():
        kernels = chosen.kernels(size)
        times = max(SIZES.values()) // size
        found["kernels"][label] = [
            timed({name: pair[i] for name, pair in kernels.items()}, rounds, times, clock) for i in (0, 1)
        ]
        del kernels
    found["stack"] = timed({each: chosen.stack(each) for each in chosen.functions}, rounds, 1, clock)
    return found


def run(python: str, allocator: dict[str, str], *arguments: str) -> Any:
    """Run this file in a process of its own and return what it prints, read as JSON."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    done = subprocess.run(
        [python, __file__, *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, **ENVIRONMENT, **allocator, "XLA_FLAGS": flags.strip()},
        text=True,
    )
    if done.returncode:
        sys.exit(f"{arguments} failed")
    return json.loads(done.stdout.splitlines()[-1])


def ratio(seconds: list[float], floor: list[float]) -> str:
    """Return the median of the ratios within a round, and their range."""
    ratios = [mine / least for mine, least in zip(seconds, floor, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def report(name: str, found: dict[str, Any], memory: dict[str, float]) -> None:
    """Print the tables of one framework."""
    print(f"\n### {name} {found['version']}, {found['device']}\n")
    print("| numbers | function | value, ns | times the floor | with gradient, ns | times the floor |")
    print("|---|---|---:|---:|---:|---:|")
    for label, measured in found["kernels"].items():
        for function in (FLOOR, *LABELS):
            cells = [label, LABELS.get(function, "floor")]
            for seconds in measured:
                cells.append(f"{median(seconds[function]) * 1e9 / SIZES[label]:.2f}")
                cells.append(ratio(seconds[function], seconds[FLOOR]))
            print(f"| {' | '.join(cells)} |")
    title = f"{LAYERS} layers, {ROWS} x {WIDTH}"
    print(f"\n| {title} | gradient, ms | times that with ReLU | activations a layer |")
    print("|---|---:|---:|---:|")
    stack = found["stack"]
    for function, label in LABELS.items():
        kept = memory[function] / (4 * ROWS * WIDTH * LAYERS)
        times = ratio(stack[function], stack["relu"])
        print(f"| {label} | {median(stack[function]) * 1e3:.0f} | {times} | {kept:.1f} |")


def main() -> None:
    """Measure each framework and print the tables."""
    parser = argparse.ArgumentParser(description="Time and memory of activation kernels.")
    parser.add_argument("--python", help="interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--frameworks", default="jax,tensorflow,torch")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--memory", choices=LABELS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        measured = (
            SIDES[arguments.side]().memory(arguments.memory)
            if arguments.memory
            else side(arguments.side, arguments.rounds)
        )
        print(json.dumps(measured))
        return
    print(f"{date.today()}; {processor()}, {os.cpu_count()} cores; Python {platform.python_version()}.")
    for name in arguments.frameworks.split(","):
        python = arguments.python if name == "torch" else sys.executable
        if python is None:
            continue
        found = run(python, REUSING, "--side", name, "--rounds", str(arguments.rounds))
        memory = {each: run(python, RETURNING, "--side", name, "--memory", each) for each in LABELS}
        report(name, found, memory)


if __name__ == "__main__":
    main()
