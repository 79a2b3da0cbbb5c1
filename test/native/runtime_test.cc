// Thread pool, run queue and verifier below JavaScript, where the sanitizers can see them.
#include <atomic>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <thread>

#include "../../native/base/thread_pool.h"
#include "../../native/program/run_queue.h"
#include "check.h"

using namespace neurite;
using check::Values;

namespace {

constexpr int32_t kNone = INT32_MIN;
constexpr int32_t kRead = 1, kWrite = 2, kInout = 3;
using Words = std::vector<int32_t>;

struct TestSlot {
  DType dtype;
  int32_t elements, flags;
};

Words make_program(std::initializer_list<TestSlot> slots, std::initializer_list<Words> instructions,
                   int32_t arena = 0) {
  Words words = {0x4E525445, 1, static_cast<int32_t>(slots.size()), static_cast<int32_t>(instructions.size()),
                 arena,      0};
  for (const TestSlot& slot : slots)
    words.insert(words.end(), {static_cast<int32_t>(slot.dtype), slot.elements, slot.flags});
  for (const Words& instruction : instructions) {
    words.insert(words.end(), {instruction[0], static_cast<int32_t>(instruction.size()) + 1});
    words.insert(words.end(), instruction.begin() + 1, instruction.end());
  }
  words[5] = static_cast<int32_t>(words.size());
  return words;
}

// Instructions here are opcode, dtype, words: the length is added above.
Words gemm(int32_t m, int32_t n, int32_t k, int32_t colsum) {
  return {5, 0, 0, 1, 1, 0, 1, m, n, k, 0, 0, ~0, ~1, ~2, kNone, kNone, colsum};
}
Words fused_relu(int32_t n, int32_t in, int32_t out) {
  return {1, 0, 1, 1, 0, 1, 1, n, in, 0, 0, 1, static_cast<int32_t>(Micro::RELU), 0, -1, -1, out, 0, 1};
}

/** A buffer of exactly `bytes`, aligned, so that a sanitizer sees the first byte beyond it. */
struct Free {
  void operator()(std::byte* data) const { std::free(data); }
};
std::unique_ptr<std::byte[], Free> exact(int64_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, 64, static_cast<size_t>(bytes)) != 0) std::abort();
  std::memset(data, 0, static_cast<size_t>(bytes));
  return std::unique_ptr<std::byte[], Free>(static_cast<std::byte*>(data));
}

struct Buffers {
  std::vector<std::unique_ptr<std::byte[], Free>> owned;
  std::vector<Binding> bindings;
  explicit Buffers(const Program& program) {
    for (const Slot& slot : program.slots) {
      owned.push_back(exact(slot.bytes));
      bindings.push_back({owned.back().get(), slot.bytes});
    }
  }
};

}  // namespace

SUITE(thread_pool) {
  ThreadPool::instance().resize(4);
  for (int round = 0; round < 200; ++round) {
    Team team;
    CHECK(team.size() == 4, "a free pool gives its whole team, got %d", team.size());
    const int64_t tasks = round % 37;
    std::vector<std::atomic<int>> seen(static_cast<size_t>(tasks));
    std::atomic<int> bad_worker{0};
    team.parallel_for(tasks, [&](int64_t task, int worker) noexcept {
      seen[static_cast<size_t>(task)].fetch_add(1);
      if (worker < 0 || worker >= team.size()) bad_worker = 1;
    });
    for (int64_t i = 0; i < tasks; ++i)
      CHECK(seen[static_cast<size_t>(i)] == 1, "task %lld ran once", static_cast<long long>(i));
    CHECK(bad_worker == 0, "worker numbers are in the team");
    Team second;
    CHECK(second.size() == 1, "a taken pool leaves the caller alone");
  }
  // Runs that compete for the pool: each has it or works alone, all finish.
  std::atomic<int64_t> total{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 100; ++round) {
        Team team;
        team.parallel_for(10, [&](int64_t task, int) noexcept { total.fetch_add(task); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(total == 4 * 100 * 45, "every task of every run");
}

SUITE(run_queue) {
  const auto program = Program::load(make_program(
      {{DType::FLOAT32, 120 * 90, kRead}, {DType::FLOAT32, 110 * 90, kRead}, {DType::FLOAT32, 120 * 110, kWrite}},
      {gemm(120, 110, 90, kNone), fused_relu(120 * 110, ~2, ~2)}));
  std::atomic<int> notified{0};
  {
    Buffers buffers(*program);
    RunQueue queue([&] { ++notified; });
    CHECK(Executor::bind(*program, buffers.bindings, 1).ok(), "buffers fit");
    for (int64_t id = 1; id <= 50; ++id) queue.push({program, buffers.bindings, 1, id, {}});
    queue.wait(5);
    CHECK(queue.run_now(*program, buffers.bindings, 2).ok(), "a run on this thread comes last");
    const RunQueue::Completions done = queue.take();
    CHECK(done.last_id == 50 && done.all && done.failures.empty(), "all 50 done");
    for (int64_t id = 51; id <= 60; ++id) queue.push({program, buffers.bindings, 1'000'000, id, {}});
  }  // stops in the middle of a run
  CHECK(notified >= 1, "completion was told");
}

SUITE(mutated_programs) {
  const Words rng = {11, 0, 1, 33, 0, 0, 0, 0x3FF00000, 3, ~0, ~1};
  const Words programs[] = {
      make_program({{DType::FLOAT32, 70, kRead},
                    {DType::FLOAT32, 70, kRead},
                    {DType::FLOAT32, 49, kWrite},
                    {DType::FLOAT32, 7, kWrite}},
                   {gemm(7, 7, 10, ~3)}),
      make_program({{DType::FLOAT32, 24, kRead}, {DType::FLOAT32, 24, kInout}},
                   {{2, 0, 3, 2, 3, 4, ~0, 0, 1, 8, 2, ~1}, fused_relu(24, ~1, 0), {3, 0, 2, 4, 3, 0, ~1, 24, 1, 6, 1}},
                   2),
      make_program({{DType::FLOAT32, 600, kRead}, {DType::FLOAT32, 5, kWrite}, {DType::INT32, 20, kWrite}},
                   {{4, 0, 1, 1, 120, 5, ~0, ~1}, {4, 0, 5, 20, 30, 1, ~0, ~2}}),
      make_program(
          {{DType::FLOAT32, 20, kRead},
           {DType::INT32, 4, kRead},
           {DType::FLOAT32, 20, kWrite},
           {DType::FLOAT32, 4, kWrite}},
          {{6, 0, 4, 5, ~0, ~2}, {8, 0, 4, 5, ~0, ~1, ~3, 0}, {9, 0, 4, 5, 4, ~0, ~1, ~2}, {10, 0, 4, 5, 4, ~2, ~1, 0}},
          2),
      make_program({{DType::INT32, 4, kRead}, {DType::FLOAT32, 33, kWrite}}, {rng, {13, 0, 33, ~1, 0}}, 3),
  };
  const int32_t interesting[] = {0, 1, -1, 2, 3, 7, 8, 16, 17, 63, 64, 65, 4096, 65536, INT32_MAX, INT32_MIN};
  Values values(11);
  const auto below = [&](size_t n) { return static_cast<size_t>(values.next() >> 20) % n; };
  const std::atomic<bool> abort{false};
  Executor executor;
  int refused = 0, ran = 0;
  for (int i = 0; i < 4000; ++i) {
    Words words = programs[below(std::size(programs))];
    for (size_t changes = below(3); changes > 0; --changes) {
      int32_t& word = words[6 + below(words.size() - 6)];
      word = below(2) == 0 ? interesting[below(std::size(interesting))] : static_cast<int32_t>(word ^ (1 << below(31)));
    }
    try {
      const auto program = Program::load(words);
      int64_t bytes = program->arena_bytes + program->shared_bytes + program->worker_bytes;
      for (const Slot& slot : program->slots) bytes += slot.bytes;
      if (bytes > 1 << 20) continue;
      Buffers buffers(*program);
      CHECK(Executor::bind(*program, buffers.bindings, 1).ok(), "buffers of the slots' sizes fit");
      executor.trim();
      executor.run(*program, buffers.bindings, 1, abort);
      ++ran;
    } catch (const ProgramError&) {
      ++refused;
    }
  }
  CHECK(refused > 400 && ran > 400, "both sides of the fence: %d refused, %d ran", refused, ran);
}
