"""A small set of calls, settings for it, and a model behind a real loopback server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import yaml

from src.config.load import parsed
from src.paths import DECISIONS, ROUNDS
from src.records.decisions import write_decisions

ROOT = Path(__file__).parents[2]
TRAIN_ROWS = {
    "查询话费": 60,
    "办理宽带": 50,
    "投诉网络": 40,
    "取消彩铃": 6,
    "补换卡": 4,
    "开发票": 2,
}
HELD_OUT_ROWS = 8  # per class, in dev and in test
WORDS = {
    "查询话费": "话费 余额 扣费 账单 多少 欠费 明细 缴费 查询 本月",
    "办理宽带": "宽带 安装 师傅 上门 光纤 路由 兆的 新装 地址 预约",
    "投诉网络": "信号 断网 很慢 投诉 基站 卡顿 掉线 没网 处理 恢复",
    "取消彩铃": "彩铃 取消 退订 铃音 不要 关掉 炫铃 音乐 回铃 停用",
    "补换卡": "补卡 换卡 丢了 小卡 挂失 身份 营业 芯片 损坏 旧卡",
    "开发票": "发票 抬头 税号 报销 电子 开具 邮箱 公司 打印 凭证",
}
SHARED = "您好 请问 那个 我们 现在 这边 麻烦 可以 就是 知道 谢谢 稍等 然后 手机 号码 客服 需要 时候"

Edit = Callable[[dict[str, Any]], None]


def call(label: str, seed: str) -> list[str]:
    """Return the turns of one call: words of its class mixed with words of all classes."""
    rng = Random(f"{label}/{seed}")
    own, shared = WORDS[label].split(), SHARED.split()
    return [
        "".join(rng.choices(own, k=3) + rng.choices(shared, k=3)) for _ in range(rng.randint(2, 5))
    ]


def rows(split: str, counts: dict[str, int]) -> pd.DataFrame:
    """Return one split, with the columns of the real CSV and one that no stage reads."""
    ids = {label: number for number, label in enumerate(WORDS)}
    return pd.DataFrame(
        [
            {
                "call_id": f"{split}-{label}-{n}",
                "sentence_sep": "[SEP]".join(call(label, f"{split}/{n}")),
                "c_numerical": ids[label],
                "label_raw": label,
                "region": "北京",
            }
            for label, count in counts.items()
            for n in range(count)
        ]
    )


@dataclass
class Project:
    """A folder with settings and data, and commands that run in it."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def settings(self, edit: Edit) -> None:
        """Change params.yaml."""
        file = self.path / "params.yaml"
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        edit(values)
        parsed.cache_clear()  # for stages in this process
        file.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
        parsed.cache_clear()  # a stage usually runs in a new process

    def frame(self, split: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        """Change a CSV."""
        file = self.path / "data" / f"{split}.csv"
        edit(pd.read_csv(file)).to_csv(file, index=False)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder; `python` is the one that runs the tests."""
        bin_folder = Path(sys.executable).parent
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))},
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
        return subprocess.run(
            command,
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,  # a guard against a hang, not a measure of speed
            stdin=subprocess.DEVNULL,
        )

    def stage(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run one stage, as DVC would."""
        return self.run("python", "-m", f"src.stages.{name}", *options)


def make_project(path: Path) -> Project:
    """Create a project with reduced settings of the repository and a set of six classes."""
    path.mkdir(exist_ok=True)
    shutil.copy(ROOT / "params.yaml", path / "params.yaml")
    shutil.copytree(ROOT / "prompts", path / "prompts")
    data = path / "data"
    data.mkdir()
    rows("train", TRAIN_ROWS).to_csv(data / "train.csv", index=False)
    for split in ("dev", "test"):
        rows(split, dict.fromkeys(WORDS, HELD_OUT_ROWS)).to_csv(data / f"{split}.csv", index=False)
    pd.DataFrame(
        [
            {"id": n, "name": label, "definition": f"客户要{label}", "requests": f"我想{label}"}
            for n, label in enumerate(WORDS)
        ]
    ).to_csv(data / "labels.csv", index=False)
    (path / DECISIONS.parent).mkdir()
    write_decisions(path / DECISIONS, [])
    shutil.copytree(ROOT / ROUNDS, path / ROUNDS, ignore=shutil.ignore_patterns("*.json"))
    project = Project(path)

    def small(values: dict[str, Any]) -> None:
        values["data"] |= {name: f"data/{name}.csv" for name in ("train", "dev", "test", "labels")}
        values["plan"] |= {"target_per_class": 20, "minority_ratio": 0.3, "overrides": {}}
        values["generate"]["surplus"] = 0.5
        values["filter"]["label_check"] |= {"enabled": True, "min_score": 0.3, "action": "drop"}
        values["evaluate"] |= {"bootstrap": 200, "seeds": 2}
        few = {"samples_per_class": [0, 5, 20], "sample_weights": [0.5, 1.0], "seeds": 2}
        values["choose"] |= few
        values["runtime"] |= {"tries": 1, "timeout_s": 20, "concurrency": 4, "offline": False}

    project.settings(small)
    return project


@dataclass
class Model:
    """A completions server; its reply depends on the prompt and on how often it was sent.

    `flawless` leaves out the replies that any gate rejects.
    """

    url: str = ""
    flawless: bool = False
    asked: int = 0
    times: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, prompt: str) -> str:
        """Return a call of the class in the prompt; sometimes an empty or looping text."""
        with self.lock:
            self.asked += 1
            self.times[prompt] += 1
            number = self.times[prompt]
        label = next(label for label in WORDS if f"类型：{label}" in prompt)
        if number % 6 == 2 and not self.flawless:
            return ""
        if number % 6 in (3, 5) and not self.flawless:
            return "\n- ".join([WORDS[label].split()[number % 10] * 4] * 3)
        turns = call(label, f"model/{prompt}/{number}")[:4]
        return "，" + "。\n- ".join(turns) + "。"


@contextmanager
def serve_model() -> Iterator[Model]:
    """Run a model server at `url` while the block runs."""
    the_model = Model()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = the_model.write(body["prompt"])
            reply = {
                "id": "1",
                "object": "text_completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the output of the test clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        the_model.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield the_model
        finally:
            server.shutdown()
            thread.join()


def endpoint(url: str) -> Edit:
    """Return an edit of the settings: this is the only endpoint."""

    def edit(values: dict[str, Any]) -> None:
        values["llm"]["endpoints"] = [
            {"name": "loopback", "base_url": url, "model": "small", "api": "completions"}
        ]

    return edit


def as_repository(project: Project) -> Project:
    """Make the project a git repository with its own code, pipeline and stand-in inputs.

    The stand-in has a fiftieth of its size; only its own stage reads it.
    """
    path = project.path
    shutil.copytree(ROOT / "src", path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, path / name)
    raw = path / "data/raw"
    shutil.copytree(ROOT / "data/raw/scenarios", raw / "scenarios")
    classes = pd.read_csv(ROOT / "data/raw/cmcc34_classes.csv")
    for split in ("train", "test"):
        classes[split] = (classes[split] // 50).clip(lower=1)
    classes.to_csv(raw / "cmcc34_classes.csv", index=False)
    for command in ("git init --quiet", "dvc init --quiet"):
        assert project.run(*command.split()).returncode == 0
    shutil.copy(ROOT / ".dvc/config", path / ".dvc/config")
    project.run("git", "add", ".")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    assert project.run("git", *identity, "commit", "--quiet", "-m", "start").returncode == 0
    return project
