"""A fit by the address of a standalone master: a master and a worker, started here on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import duckdb
import numpy as np
import pytest

import segql

QUERY = "select * from customer_features where customer_id < 3000"
FIT = """
import sys
import numpy as np
import segql
from segql.engines.spark_session import spark_session

spark = spark_session(sys.argv[1])
assert spark.sparkContext.master == sys.argv[1]
spark.read.parquet(sys.argv[2]).createOrReplaceTempView("customer_features")
model = segql.fit(spark, sys.argv[4], id="customer_id", features=["recency", "monetary"], k=3)
np.save(sys.argv[3], model.points)
spark.stop()
"""


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a master with one worker of one core."""
    import pyspark

    home = Path(pyspark.__file__).parent
    port = free_port()
    address = f"spark://127.0.0.1:{port}"
    folder = tmp_path_factory.mktemp("master")
    deploy = "org.apache.spark.deploy"
    commands = {
        "master": [f"{deploy}.master.Master", "--port", str(port)],
        "worker": [f"{deploy}.worker.Worker", "--cores", "1", "--memory", "1g", address],
    }
    environment = os.environ | {"SPARK_HOME": str(home), "SPARK_WORKER_DIR": str(folder)}
    with ExitStack() as stack:
        for name, (main, *options) in commands.items():
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            process = subprocess.Popen(
                [str(home / "bin/spark-class"), main, "--host", "127.0.0.1", "--webui-port", "0",
                 *options],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip
            stack.callback(process.wait, timeout=60)
            stack.callback(process.terminate)
            if name == "master":
                wait_for(port)
        yield address


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.2)
    raise AssertionError("the master does not listen")


def test_a_standalone_master(master: str, customers: str, tmp_path: Path) -> None:
    file = tmp_path / "points.npy"
    done = subprocess.run(
        [sys.executable, "-c", FIT, master, customers, str(file), QUERY],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    with duckdb.connect() as con:
        con.execute(f"create table customer_features as select * from '{customers}/*.parquet'")
        model = segql.fit(con, QUERY, id="customer_id", features=["recency", "monetary"], k=3)
    np.testing.assert_allclose(np.load(file), model.points, atol=1e-6)
