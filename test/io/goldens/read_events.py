"""Prints as JSON what TensorBoard's own reader finds in the event files of a directory. Used by tensorboard.mjs."""
import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0})
events.Reload()
tags = events.Tags()
print(
    json.dumps(
        {
            "scalars": {t: [[e.step, e.value] for e in events.Scalars(t)] for t in tags["scalars"]},
            "histograms": {
                t: [
                    {
                        "step": e.step,
                        "min": e.histogram_value.min,
                        "max": e.histogram_value.max,
                        "count": e.histogram_value.num,
                        "sum": e.histogram_value.sum,
                        "buckets": list(e.histogram_value.bucket),
                        "limits": list(e.histogram_value.bucket_limit),
                    }
                    for e in events.Histograms(t)
                ]
                for t in tags["histograms"]
            },
        }
    )
)
