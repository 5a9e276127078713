#include "emulation.h"

#include <setjmp.h>
#include <ucontext.h>

#include <cstdlib>
#include <memory>
#include <vector>

namespace clip::cuda::emulation {
namespace {

constexpr size_t kStackBytes = 64 << 10;

// Counts those who have arrived; the last one lets all go on.
struct Barrier {
  unsigned arrived = 0, generation = 0;
};

struct Warp {
  Barrier barrier;
  unsigned lanes = 0;
  const void* given[32];
};

// A fiber is begun once, by a context, and lives on from block to block; turns are taken by jumps, which cost
// no system call as switching contexts does.
struct Fiber {
  jmp_buf at;
  bool begun = false;
  std::unique_ptr<unsigned char[]> stack{new unsigned char[kStackBytes]};
  Place place;
  bool done = false;
};

struct Machine {
  jmp_buf scheduler;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Warp> warps;
  Barrier block;
  unsigned threads = 0, current = 0;
  std::vector<uint64_t> shared;
  const std::function<void()>* kernel = nullptr;
};

Machine& Mine() {
  static thread_local Machine machine;
  return machine;
}

void Yield() {
  Machine& machine = Mine();
  if (_setjmp(machine.fibers[machine.current]->at) == 0) _longjmp(machine.scheduler, 1);
}

void Wait(Barrier* barrier, unsigned all) {
  unsigned generation = barrier->generation;
  if (++barrier->arrived == all) {
    barrier->arrived = 0;
    ++barrier->generation;
    return;
  }
  while (barrier->generation == generation) Yield();
}

void Body() {
  for (;;) {
    (*Mine().kernel)();
    Mine().fibers[Mine().current]->done = true;
    Yield();
  }
}

// Lets the current fiber run up to where it waits or ends.
void Turn(Machine* machine) {
  Fiber& fiber = *machine->fibers[machine->current];
  if (_setjmp(machine->scheduler) != 0) return;
  if (fiber.begun) _longjmp(fiber.at, 1);
  fiber.begun = true;
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = fiber.stack.get();
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  makecontext(&context, Body, 0);
  setcontext(&context);
}

Warp& MyWarp() { return Mine().warps[Here().thread.x / 32]; }

void RunBlock(dim3 grid, dim3 block, uint3 number) {
  Machine& machine = Mine();
  machine.threads = block.x;
  machine.block = {};
  machine.warps.assign((block.x + 31) / 32, {});
  while (machine.fibers.size() < block.x) machine.fibers.push_back(std::make_unique<Fiber>());
  for (unsigned i = 0; i < block.x; ++i) {
    Fiber& fiber = *machine.fibers[i];
    fiber.done = false;
    fiber.place = {{i, 0, 0}, number, block, grid};
    ++machine.warps[i / 32].lanes;
  }
  for (unsigned left = block.x; left > 0;) {
    unsigned before = left;
    uint64_t progress = 0;
    for (unsigned i = 0; i < block.x; ++i) {
      if (machine.fibers[i]->done) continue;
      machine.current = i;
      Turn(&machine);
      left -= machine.fibers[i]->done ? 1 : 0;
    }
    for (const Warp& warp : machine.warps) progress += warp.barrier.generation;
    // As on a GPU, a thread that has ended and is waited for is an error in the kernel.
    static thread_local uint64_t last = 0;
    static thread_local unsigned rounds = 0;
    uint64_t sum = progress + (static_cast<uint64_t>(machine.block.generation) << 32);
    rounds = sum == last && before == left ? rounds + 1 : 0;
    last = sum;
    if (rounds > 4) abort();
  }
}

}  // namespace

const Place& Here() {
  Machine& machine = Mine();
  return machine.fibers[machine.current]->place;
}

void BlockSync() { Wait(&Mine().block, Mine().threads); }

void WarpSync() { Wait(&MyWarp().barrier, MyWarp().lanes); }

unsigned char* SharedBytes() { return reinterpret_cast<unsigned char*>(Mine().shared.data()); }

const void* const* Gather(const void* mine) {
  Warp& warp = MyWarp();
  warp.given[threadIdx.x % 32] = mine;
  WarpSync();
  return warp.given;
}

void RunBlocks(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel) {
  Machine& machine = Mine();
  machine.kernel = &kernel;
  // What lies in shared memory at the start of a block is whatever was there: all ones, here.
  machine.shared.assign(shared_bytes / sizeof(uint64_t) + 1, ~uint64_t{0});
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) RunBlock(grid, block, {x, y, z});
    }
  }
}

}  // namespace clip::cuda::emulation
