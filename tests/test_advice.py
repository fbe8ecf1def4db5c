"""What is worth measuring on a machine, and the fact about it that says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optkit.advice import MOST, Advice, recommend

ONNX = {"onnx": "1.21.0", "onnxscript": "0.7.0", "onnxruntime": "1.24.1"}


@pytest.fixture
def environment(environment):
    """Return a machine without extras, and without units for half precision."""
    versions = {name: environment.versions[name] for name in ("python", "torch")}
    return replace(environment, versions=versions, cpu_flags=())


@pytest.fixture
def cpu(environment):
    """Return a plain machine: a compiler, no special units, no quota."""
    return replace(environment, cpu_quota=None)


@pytest.fixture
def cuda(environment):
    """Return a function that makes a machine with an accelerator of a generation."""

    def make(capability=None, memory_bytes=80 * 10**9):
        device = {"name": "A Card", "driver": "570.1", "memory_bytes": memory_bytes}
        told = {} if capability is None else {"compute_capability": capability}
        return replace(environment, cuda=True, accelerators=(device | told,))

    return make


def variants(environment):
    return [advice.variant for advice in recommend(environment)]


def reason(environment, variant):
    return dict(recommend(environment))[variant]


def test_a_plain_cpu_is_to_try_inductor_with_and_without_freezing(cpu):
    assert variants(cpu) == ["compile", "compile:freezing=true"]


@pytest.mark.parametrize(
    ("flags", "units"),
    [(("avx2", "amx_bf16", "avx512_bf16"), "AMX"), (("avx512_bf16",), "AVX-512 BF16"), (("asimd", "bf16"), "ARM BF16")],
)
def test_bf16_is_for_a_cpu_that_multiplies_it_and_the_units_are_named(flags, units, cpu):
    here = replace(cpu, cpu_flags=flags)
    assert variants(here) == ["compile", "compile:freezing=true", "compile:freezing=true+bfloat16"]
    assert units in reason(here, "compile:freezing=true+bfloat16")


def test_emulated_bf16_is_not_advised(cpu):
    assert not any("bfloat16" in variant for variant in variants(replace(cpu, cpu_flags=("avx2", "avx512f"))))


def test_onnx_runtime_is_for_those_who_have_all_it_needs(cpu):
    assert variants(replace(cpu, versions=cpu.versions | ONNX))[-1] == "onnxruntime"
    for missing in ONNX:
        some = {name: version for name, version in ONNX.items() if name != missing}
        assert "onnxruntime" not in variants(replace(cpu, versions=cpu.versions | some))


@pytest.mark.parametrize(("quota", "threads"), [(0.5, 1), (1.0, 1), (2.5, 2), (7.9, 7)])
def test_a_quota_below_the_cpus_asks_for_as_many_threads_as_it_grants(quota, threads, cpu):
    here = replace(cpu, cpu_quota=quota)
    assert f"eager+threads={threads}" in variants(here)
    assert f"grants {quota:g} of 8 CPUs" in reason(here, f"eager+threads={threads}")


@pytest.mark.parametrize("quota", [None, 8.0, 64.0])
def test_without_a_quota_below_the_cpus_threads_are_left_to_torch(quota, cpu):
    assert not any("threads" in variant for variant in variants(replace(cpu, cpu_quota=quota)))


@pytest.mark.parametrize(("given", "advised"), [("2", False), ("1", False), ("8", True), ("auto", True)])
def test_threads_that_the_user_has_limited_already_are_not_limited_again(given, advised, cpu):
    here = replace(cpu, cpu_quota=2.0, variables={"OMP_NUM_THREADS": given})
    assert ("eager+threads=2" in variants(here)) is advised


@pytest.mark.parametrize(
    ("lacking", "named"), [({"cxx_compiler": ""}, "compiler"), ({"python_headers": False}, "head")]
)
def test_where_inductor_cannot_compile_what_needs_it_is_left_out_and_it_is_said_why(lacking, named, cpu):
    here = replace(cpu, **lacking, cpu_flags=("amx_bf16",))
    assert variants(here) == ["torchscript:optimize_for_inference=true", "eager+channels_last"]
    assert all(named in advice.reason for advice in recommend(here))


def test_where_neither_inductor_nor_torchscript_can_run_eager_remains(cpu):
    here = replace(cpu, cxx_compiler="", versions=cpu.versions | {"python": "3.14.0"})
    assert variants(here) == ["eager+channels_last"]


def test_little_memory_leaves_little_advice_that_says_why(cpu):
    here = replace(
        cpu, memory_bytes=10**9, cpu_quota=1.0, cpu_flags=("amx_bf16",), versions=cpu.versions | ONNX,
    )  # fmt: skip
    assert variants(here) == ["compile", "eager+threads=1"]
    assert all("what needs more than 1.0 GB of memory is left out" in advice.reason for advice in recommend(here))


def test_an_accelerators_memory_counts_only_for_what_runs_on_it(cuda):
    small = cuda("8.6", memory_bytes=10**9)
    assert variants(small) == ["compile"]
    assert "compile:freezing=true" in variants(small.placed("cpu"))


PLAIN_CUDA = ["compile", "compile:mode=reduce-overhead", "compile:mode=max-autotune", "compile:backend=cudagraphs"]


def test_an_accelerator_of_an_unknown_generation_keeps_full_precision(cuda, environment):
    assert variants(cuda()) == PLAIN_CUDA
    assert variants(replace(environment, cuda=True)) == PLAIN_CUDA


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [("7.0", "float16"), ("7.5", "float16"), ("8.0", "bfloat16"), ("9.0", "bfloat16"), ("12.0", "bfloat16")],
)
def test_half_precision_is_what_the_tensor_cores_of_the_generation_take(capability, dtype, cuda):
    here = cuda(capability)
    half = [f"compile:mode=max-autotune+{dtype}", f"compile:mode=max-autotune+channels_last+{dtype}"]
    assert variants(here) == PLAIN_CUDA + half
    assert all(capability in reason(here, variant) for variant in half)


def test_where_inductor_refuses_the_generation_cuda_graphs_remain(cuda):
    assert variants(cuda("6.1")) == ["compile:backend=cudagraphs"]
    assert "6.1" in recommend(cuda("6.1"))[0].reason


def test_of_several_accelerators_the_oldest_decides(cuda):
    here = cuda("9.0")
    both = replace(here, accelerators=(*here.accelerators, *cuda("7.5").accelerators))
    assert "compile:mode=max-autotune+float16" in variants(both)


def test_there_is_always_something_to_measure_never_too_much_and_each_has_one_sentence(cpu, cuda):
    everything = {"cpu_quota": 3.0, "cpu_flags": ("amx_bf16",), "versions": cpu.versions | ONNX}
    nothing = {"cxx_compiler": "", "memory_bytes": 10**8}
    for here in (cpu, replace(cpu, **everything), replace(cpu, **nothing), *map(cuda, (None, "6.0", "7.0", "9.0"))):
        found = recommend(here)
        assert 1 <= len(found) <= MOST
        assert len({advice.variant for advice in found}) == len(found)
        for advice in found:
            assert isinstance(advice, Advice)
            assert advice.reason.endswith(".")
            assert ". " not in advice.reason
