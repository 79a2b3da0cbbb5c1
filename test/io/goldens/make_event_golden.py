"""Writes events.json: records as TensorBoard's own protocol buffers and record writer make them, in base64.

Run: python3 test/io/goldens/make_event_golden.py
"""
import base64
import io
import json
import pathlib
import sys

from tensorboard import version
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


class Sink(io.BytesIO):
    def close(self):
        pass


def record(event):
    sink = Sink()
    RecordWriter(sink).write(event.SerializeToString())
    return base64.b64encode(sink.getvalue()).decode()


def scalar(wall_time, step, tag, value):
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, simple_value=value)])
    return record(event_pb2.Event(wall_time=wall_time, step=step, summary=summary))


def histogram(wall_time, step, tag, h):
    histo = summary_pb2.HistogramProto(
        min=h["min"],
        max=h["max"],
        num=h["count"],
        sum=h["sum"],
        sum_squares=h["sumSquares"],
        bucket_limit=h["limits"],
        bucket=h["buckets"],
    )
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, histo=histo)])
    return record(event_pb2.Event(wall_time=wall_time, step=step, summary=summary))


cases = []
cases.append(
    {
        "wallTime": 1234567890.125,
        "content": {"fileVersion": "brain.Event:2"},
        "record": record(event_pb2.Event(wall_time=1234567890.125, file_version="brain.Event:2")),
    }
)
for step, tag, value in [(0, "loss", 0.0), (1, "loss", 0.1), (127, "é/ü", -3.5), (128, "x" * 200, 1e30), (2**53 - 1, "b", 7.0)]:
    cases.append(
        {
            "wallTime": 1700000000.5,
            "content": {"step": step, "tag": tag, "scalar": value},
            "record": scalar(1700000000.5, step, tag, value),
        }
    )
h = {"min": -1.5, "max": 2.0, "count": 4.0, "sum": 0.0, "sumSquares": 6.5, "limits": [-1.4, 0.0, 1.0, 1e20], "buckets": [1.0, 0.0, 2.0, 1.0]}
cases.append({"wallTime": 1700000001.0, "content": {"step": 300, "tag": "w", "histogram": h}, "record": histogram(1700000001.0, 300, "w", h)})

out = {"source": f"tensorboard {version.VERSION}, Python {sys.version.split()[0]}, {pathlib.Path(__file__).name}", "cases": cases}
pathlib.Path(__file__).with_name("events.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")
