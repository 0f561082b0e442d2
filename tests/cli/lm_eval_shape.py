#!/usr/bin/env python3
"""A result in the form of the lm-evaluation-harness, held against a file that the harness wrote: python3 lm_eval_shape.py SAMPLE FILE

Every key of the sample must be there with a value of the same type (null stands for anything); keys that only some models or
tasks of the harness have are left out. The task's name and the metrics' values are our own.
"""
import json, sys

OPTIONAL = {"config.model_num_parameters", "config.model_dtype", "config.model_revision", "config.model_sha",
            "configs.TASK.dataset_kwargs", "configs.TASK.test_split", "configs.TASK.unsafe_code", "configs.TASK.process_results",
            "configs.TASK.target_delimiter", "configs.TASK.fewshot_delimiter", "configs.TASK.fewshot_config",
            "configs.TASK.metadata.pretrained", "configs.TASK.metadata.max_length", "configs.TASK.metadata.dtype",
            "configs.TASK.metadata.config_source"}
looked = 0


def kind(v):
    return "number" if isinstance(v, (int, float)) and not isinstance(v, bool) else type(v).__name__


def compare(sample, own, path, wrong):
    global looked
    for key, want in sample.items():
        at = path + [key]
        name = ".".join(at)
        if name in OPTIONAL:
            continue
        looked += 1
        if key not in own:
            wrong.append(name + " is missing")
        elif want is not None and own[key] is not None and kind(want) != kind(own[key]):
            wrong.append("%s is a %s, not a %s" % (name, kind(own[key]), kind(want)))
        elif isinstance(want, dict):
            compare(want, own[key], at, wrong)
        elif isinstance(want, list) and want and isinstance(want[0], dict):
            compare(want[0], own[key][0], at + ["0"], wrong)


def named(result):
    """The same with the task called TASK."""
    task = list(result["results"])[0]
    return json.loads(json.dumps(result).replace(json.dumps(task) + ":", '"TASK":'))


sample, own = (named(json.load(open(p))) for p in sys.argv[1:3])
wrong = []
compare(sample, own, [], wrong)
metrics = {k.split(",")[0] for k in own["results"]["TASK"] if "," in k and "_stderr" not in k}
if metrics != set(own["higher_is_better"]["TASK"]) or metrics != {m["metric"] for m in own["configs"]["TASK"]["metric_list"]}:
    wrong.append("results, higher_is_better and metric_list name different metrics")
print("%d keys" % looked, *wrong, sep="\n")
sys.exit(bool(wrong) or looked < 40)
