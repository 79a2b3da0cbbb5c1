// The tables that ConvArgs points to. Not included where kernels are compiled: its containers are baseline code.
#pragma once
#include <vector>

#include "conv.h"

namespace neurite {

class ConvTables {
 public:
  /** Sets what follows from the sizes of the axes. Must live as long as `axes` are used. */
  explicit ConvTables(ConvAxis (&axes)[3]) {
    for (int a = 0; a < 3; ++a) {
      axes[a].finish();
      for (int64_t phase = 0; phase < axes[a].phases && phase < axes[a].to; ++phase) {
        ConvTaps taps = conv_taps(axes[a], phase);
        if (phase > 0) taps.before = phases_[a].back().before + phases_[a].back().count;
        phases_[a].push_back(taps);
      }
      axes[a].phase = phases_[a].data();
    }
    rows_.assign(static_cast<size_t>(axes[0].kernel * axes[1].kernel * axes[2].kernel), -1);
    int64_t next = 0;
    for (const ConvTaps& d : phases_[0]) {
      for (const ConvTaps& h : phases_[1]) {
        for (const ConvTaps& w : phases_[2]) {
          for (int64_t i = 0; i < d.count * h.count * w.count; ++i) {
            const int64_t z = d.tap + i / (h.count * w.count) * d.next;
            const int64_t y = h.tap + i / w.count % h.count * h.next;
            const int64_t x = w.tap + i % w.count * w.next;
            rows_[static_cast<size_t>((z * axes[1].kernel + y) * axes[2].kernel + x)] = next++;
          }
        }
      }
    }
  }

  /** For each tap of the weights, its place in the panels, or -1 where it meets only padding. */
  const int64_t* rows() const noexcept { return rows_.data(); }

 private:
  std::vector<ConvTaps> phases_[3];
  std::vector<int64_t> rows_;
};

}  // namespace neurite
