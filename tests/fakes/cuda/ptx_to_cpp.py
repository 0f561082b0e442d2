#!/usr/bin/env python3
"""Kernels as nvcc compiled them, in C++ for the mock of CUDA's runtime: what a GPU would be given, instruction by instruction.

    ptx_to_cpp.py FILE.ptx FILE.cpp

One statement for every instruction; what they mean stands in ptx_on_host.h. Knows the instructions that kernels/cuda needs, and
fails at others. Source of their meaning: NVIDIA, "Parallel Thread Execution ISA".
"""
import re
import sys

TYPES = {
    "pred": "bool", "b8": "uint8_t", "u8": "uint8_t", "s8": "int8_t", "b16": "uint16_t", "u16": "uint16_t", "s16": "int16_t",
    "b32": "uint32_t", "u32": "uint32_t", "s32": "int32_t", "b64": "uint64_t", "u64": "uint64_t", "s64": "int64_t",
    "f32": "float", "f64": "double",
}
# operators whose bits do not depend on signs, so that they may wrap
WRAPS = {"add": "+", "sub": "-", "mul.lo": "*", "and": "&", "or": "|", "xor": "^"}
FLOATS = {"add.rn": "+", "sub.rn": "-", "mul.rn": "*", "div.rn": "/"}
COMPARES = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
NEGATED = {"ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}  # true also for what is not a number
SPECIAL = {"%tid": "threadIdx", "%ntid": "blockDim", "%ctaid": "blockIdx", "%nctaid": "gridDim"}


class Kernel:
    def __init__(self, name):
        self.name = name
        self.params = []
        self.shared = {}  # symbol: offset
        self.shared_bytes = 0

    def reserve(self, symbol, align, size):
        at = (self.shared_bytes + align - 1) // align * align
        self.shared[symbol] = at
        self.shared_bytes = at + size

    def value(self, text):
        """What an operand is in C++."""
        text = text.strip()
        if text.startswith("%"):
            special = re.fullmatch(r"(%\w+)\.([xyz])", text)
            return f"{SPECIAL[special[1]]}.{special[2]}" if special else "r_" + text[1:]
        if text.startswith("0f"):
            return f"ptx_float(0x{text[2:]}u)"
        if text.startswith("0d"):
            return f"ptx_double(0x{text[2:]}ull)"
        if re.fullmatch(r"-?\d+", text):
            return f"INT64_C({text})" if int(text) < 2**63 else f"UINT64_C({text})"
        if text in self.shared:
            return f"UINT64_C({self.shared[text]})"
        if text == "stac_shared_bytes":
            return "ptx_static"
        if text in self.params:
            return f"(uint64_t)(uintptr_t)param[{self.params.index(text)}]"
        if text.startswith("__local_depot"):
            return f"(uint64_t)(uintptr_t){text}"
        raise SystemExit(f"operand {text}")

    def address(self, text):
        inside = re.fullmatch(r"\[([^+\]]+)(?:\+(-?\d+))?\]", text.strip())
        base = self.value(inside[1])
        return f"((uint64_t){base} + INT64_C({inside[2] or 0}))"


def split(operands):
    """At commas that are not inside of braces or brackets."""
    return [part.strip() for part in re.findall(r"(?:[^,{\[]|\{[^}]*\}|\[[^\]]*\])+", operands)]


def typed(kernel, type_, operand):
    return f"as<{TYPES[type_]}>({kernel.value(operand)})"


def arithmetic(k, op, type_, args):
    c = TYPES[type_]
    a = [typed(k, type_, x) for x in args[1:]]
    u = [typed(k, type_.replace("s", "u"), x) for x in args[1:]]
    unsigned = TYPES[type_.replace("s", "u")]
    if op in WRAPS and type_ not in ("f32", "f64"):
        return f"({unsigned})({u[0]} {WRAPS[op]} {u[1]})"
    if op in FLOATS:
        return f"{a[0]} {FLOATS[op]} {a[1]}"
    if op == "div":
        return f"ptx_divide<{c}>({a[0]}, {a[1]})"
    if op in ("fma.rn", "max", "min", "abs", "sqrt.rn", "rcp.rn"):
        return f"ptx_{op.split('.')[0]}({', '.join(a)})"
    if op == "mad.lo":
        return f"({unsigned})({u[0]} * {u[1]} + {u[2]})"
    if op == "mul.wide":
        wide = type_[0] + "64" if type_.endswith("32") else type_[0] + "32"
        return f"({TYPES[wide]}){a[0]} * ({TYPES[wide]}){a[1]}"
    if op == "neg":
        return f"-{a[0]}" if type_[0] == "f" else f"({unsigned})(0 - {u[0]})"
    if op == "not":
        return f"!{a[0]}" if type_ == "pred" else f"({unsigned})~{u[0]}"
    if op in ("shl", "shr"):
        return f"ptx_{op}({a[0]}, as<uint32_t>({k.value(args[2])}))"
    if op == "mov":
        return a[0]
    if op == "selp":
        return f"{k.value(args[3])} ? {a[0]} : {a[1]}"
    if op in ("brev", "bfind.shiftamt"):
        return f"ptx_{op.split('.')[0]}({u[0]})"
    if op == "prmt":
        return f"__byte_perm({', '.join(a)})"
    return None


def compare(k, op, type_, args):
    a, b = (typed(k, type_, x) for x in args[1:])
    how = op.split(".")[1]
    if how == "num":
        return f"{a} == {a} && {b} == {b}"
    if how not in NEGATED and how not in COMPARES or how == "ne" and type_[0] == "f":  # C's != is another one
        raise SystemExit(f"instruction {op}")
    return f"!({a} {NEGATED[how]} {b})" if how in NEGATED else f"{a} {COMPARES[how]} {b}"


def registers(braces):
    return [x.strip() for x in braces.strip("{} ").split(",")]


def memory(k, parts, args):
    """ld and st, of one value or of a vector."""
    space = parts[1] if parts[1] in ("param", "shared", "global", "local") else "generic"
    type_ = TYPES[parts[-1]]
    load = parts[0] == "ld"
    where, what = (args[1], args[0]) if load else (args[0], args[1])
    values = registers(what) if what.startswith("{") else [what]
    out = f"{{ {type_} *at = ptx_at<ptx_{space}, {type_}, {len(values)}>({k.address(where)}, {str(not load).lower()}); "
    for i, v in enumerate(values):
        out += f"to({k.value(v)}, at[{i}]); " if load else f"at[{i}] = as<{type_}>({k.value(v)}); "
    return out + "}"


def statement(k, op, operands):
    parts = op.split(".")
    type_ = parts[-1]
    args = split(operands)
    if parts[0] == "bra":
        return f"goto {args[0].replace('$', 'l_')};"
    if op == "ret":
        return "return;"
    if op == "bar.sync":
        return "__syncthreads();"
    if op == "bar.red.or.pred":
        return f"to({k.value(args[0])}, __syncthreads_or({k.value(args[2])}) != 0);"
    if op in ("shfl.sync.bfly.b32", "shfl.sync.idx.b32"):
        d, _, p = args[0].partition("|")
        out = f"to({k.value(d)}, ptx_shuffle_{parts[2]}({k.value(args[1])}, as<int32_t>({k.value(args[2])})));"
        return out + (f" {k.value(p)} = true;" if p else "")
    if op == "vote.sync.ballot.b32":
        return f"to({k.value(args[0])}, cuda_on_host_ballot({k.value(args[1])}));"
    if op.startswith("mma.sync.aligned.m16n8k32.row.col.s32."):
        d, a, b, c = ([k.value(x) for x in registers(v)] for v in args)
        assert d == c
        return f"ptx_mma({', '.join(d)}, {', '.join(a)}, {', '.join(b)}, {str(parts[7] == 's8').lower()});"
    if op == "cp.async.cg.shared.global":
        assert args[2:] in (["16"], ["16", "16"])
        return f"ptx_copy_later({k.address(args[0])}, {k.address(args[1])});"
    if op == "cp.async.commit_group":
        return "cuda_on_host_close_copies();"
    if op == "cp.async.wait_group":
        return f"cuda_on_host_wait_copies({args[0]});"
    if parts[0] == "atom" and parts[2] == "add":
        t = TYPES[type_]
        return (f"{{ {t} *at = ptx_at_atomic<ptx_{parts[1]}, {t}>({k.address(args[1])}); {t} before = *at; "
                f"*at = ({t})(before + as<{t}>({k.value(args[2])})); to({k.value(args[0])}, before); }}")
    if parts[0] in ("ld", "st"):
        return memory(k, parts, args)
    if op == "cvta.shared.u64":
        return f"to({k.value(args[0])}, ptx_to_generic(as<uint64_t>({k.value(args[1])})));"
    if op in ("cvta.to.global.u64", "cvta.local.u64", "cvta.param.u64"):
        return f"to({k.value(args[0])}, as<uint64_t>({k.value(args[1])}));"
    if parts[0] == "mov" and args[1].startswith("{"):
        return f"to({k.value(args[0])}, ptx_pack<{TYPES[type_]}>({', '.join(k.value(x) for x in registers(args[1]))}));"
    if parts[0] == "mov" and args[0].startswith("{"):
        low, high = (k.value(x) for x in registers(args[0]))
        return f"ptx_unpack({typed(k, type_, args[1])}, {low}, {high});"
    if parts[0] == "cvt":
        rounding = f"ptx_round_{parts[1]}" if len(parts) == 4 else "ptx_keep"
        return f"to({k.value(args[0])}, ptx_convert<{TYPES[parts[-2]]}, {TYPES[type_]}, {rounding}>({typed(k, type_, args[1])}));"
    if parts[0] == "setp":
        return f"{k.value(args[0])} = {compare(k, op, type_, args)};"
    value = arithmetic(k, ".".join(parts[:-1]), type_, args)
    if value is None:
        raise SystemExit(f"instruction {op}")
    return f"to({k.value(args[0])}, {value});"


def declare(line):
    type_, names = re.fullmatch(r"\.reg \.(\w+)\s+(.*)", line).groups()
    c = {"pred": "bool", "b16": "uint16_t", "b32": "uint32_t", "b64": "uint64_t", "f32": "float", "f64": "double"}[type_]
    many = re.fullmatch(r"%(\w+)<(\d+)>", names)
    if many:
        return f"{c} " + ", ".join(f"r_{many[1]}{i}" for i in range(int(many[2]))) + ";"
    return f"{c} " + ", ".join("r_" + n.strip()[1:] for n in names.split(",")) + ";"


def translate(k, line):
    if line in ("{", "}"):
        return line
    if re.fullmatch(r"\$\w+:", line):
        return line.replace("$", "l_") + ";"
    if line.startswith(".reg"):
        return declare(line)
    shared = re.fullmatch(r"\.shared \.align (\d+) \.(\w+) (\w+)(?:\[(\d+)\])?", line)
    if shared:
        k.reserve(shared[3], int(shared[1]), int(shared[4] or 1) * (int(shared[2][1:]) // 8))
        return ""
    local = re.fullmatch(r"\.local \.align (\d+) \.b8\s+(\w+)\[(\d+)\]", line)
    if local:
        return f"alignas({local[1]}) char {local[2]}[{local[3]}];"
    if line.startswith(".pragma"):
        return ""
    predicate, negated, op, operands = re.fullmatch(r"(?:@(!?)(%\w+)\s+)?([a-z][\w.]*)\s*(.*)", line).group(2, 1, 3, 4)
    out = statement(k, op, operands)
    return f"if ({negated or ''}{k.value(predicate)}) {{ {out} }}" if predicate else out


def statements(text):
    """Instructions, labels, braces, directives: one at a time."""
    for line in text.splitlines():
        line = " ".join(re.sub(r"//.*", "", line).split())
        opens, closes = line.startswith("{ "), line.endswith("; }")
        line = line[2 if opens else 0 : -2 if closes else None].rstrip("; ")
        yield from (x for x in ("{" * opens, line, "}" * closes) if x)


def write_kernel(k, body, out):
    lines = [translate(k, s) for s in statements(body)]
    static = (k.shared_bytes + 15) // 16 * 16
    out.write(f"static void {k.name}(const unsigned char *const *param) {{\n    const uint64_t ptx_static = {static};\n"
              f"    (void)param, (void)ptx_static;\n")
    out.writelines(f"    {line}\n" for line in lines if line)
    out.write("}\n\n")
    return f'{{"{k.name}", {k.name}, {static}}}'


def main():
    with open(sys.argv[1]) as f:
        text = f.read()
    with open(sys.argv[2], "w") as out:
        out.write('#include "ptx_on_host.h"\n\n')
        entries = []
        for name, params, body in re.findall(r"^(?:\.visible )?\.entry (\w+)\(([^)]*)\)[^{]*\{\n(.*?)^\}$", text, re.M | re.S):
            k = Kernel(name)
            k.params = re.findall(r"(\w+_param_\d+)", params)
            entries.append(write_kernel(k, body, out))
        out.write(f"static const bool known = ptx_know({{{', '.join(entries)}}});\n")


main()
