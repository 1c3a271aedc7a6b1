"""Start a Spark session from an address, and say in one line what it lacks."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from segql.errors import SegqlError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: The oldest Java that Spark 4 runs on.
JAVA = 17
#: Where Spark listens when the address does not say, and how many seconds it may take to answer.
PORTS, WAIT = {"sc": 15002, "spark": 7077}, 10.0


def spark_session(address: str, name: str = "segql") -> SparkSession:
    """Connect to Spark.

    Parameters
    ----------
    address : str
        ``sc://host:15002`` (Spark Connect), ``spark://host:7077``, ``yarn``, ``k8s://…`` or
        ``local[2]``.
    name : str
        What the cluster calls the application.

    Raises
    ------
    SegqlError
        When PySpark or Java is missing, or nobody answers at the address.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SegqlError(
            "Spark needs PySpark, which is not installed; accepted: pip install 'segql[spark]'"
        ) from error
    if not isinstance(address, str) or not address.strip():
        raise SegqlError(
            f"Spark address got {address!r}; accepted: sc://host:port, spark://host:port, local[2]"
        )
    _check_answer(address)
    builder = SparkSession.builder.appName(name)
    try:
        if address.startswith("sc://"):
            session = builder.remote(address).getOrCreate()
            session.sql("select 1").collect()
            return session
        check_java()
        return builder.master(address).getOrCreate()
    except SegqlError:
        raise
    except Exception as error:
        said = next((line for line in str(error).splitlines() if line.strip()), repr(error))
        raise SegqlError(f"Spark cannot be reached at {address!r}: {said[:200]}") from error


def _check_answer(address: str) -> None:
    """Ask whether somebody listens: Spark itself would try again for minutes."""
    found = re.match(r"(sc|spark)://([^:/;,]+)(?::(\d+))?(?=$|[/;])", address)
    if found is None:
        return
    port = int(found[3] or PORTS[found[1]])
    try:
        socket.create_connection((found[2], port), timeout=WAIT).close()
    except (OSError, OverflowError) as error:
        raise SegqlError(f"Spark cannot be reached at {address!r}: {error}") from error


def check_java() -> None:
    """Refuse to start a session without the Java that it runs on."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else "java"
    if shutil.which(java) is None:
        where = f"JAVA_HOME={home!r}, which holds none" if home else "none is on the PATH"
        raise SegqlError(
            f"Spark needs Java {JAVA} or later: {where}; accepted: JAVA_HOME of an installed Java, "
            "or an sc:// address, which needs none here"
        )
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = said.split('"')[1] if '"' in said else ""
    major = version.split(".")[0]
    if major.isdigit() and int(major) < JAVA:
        raise SegqlError(f"Spark needs Java {JAVA} or later, but {java} is {version}")
