// SPDX-License-Identifier: MIT
// Proved of the inputs run: whatever a consumer writes into a ring, between the producer's calls and during
// them, each call ends with a status that is documented for it, within a bound, inside the span; a claim lies in
// the data and is as large as asked for; what was committed and, as far as the producer was told, not read, is
// not written to again; corrupt stays. The same, without the last but one, of writers of single values.
// Not provable here: other inputs; orders of memory (one thread).
#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/ring_producer.hpp"
#include "fuzz/rings.hpp"
#include "fuzz/value_writers.hpp"

#include <weir/backpressure.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::fuzz {
namespace {

arena memory;

template <class Kind>
void run_ring(input& bytes) {
  switch (bytes.byte() % 3) {
    case 0:
      return producer_run<Kind, reject>{memory, bytes}.run();
    case 1:
      return producer_run<Kind, drop_newest>{memory, bytes}.run();
    default:
      return producer_run<Kind, wait_for_space<short_park>>{memory, bytes}.run();
  }
}

}  // namespace
}  // namespace weir::fuzz

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  using namespace weir::fuzz;
  input bytes{{data, size}};
  switch (bytes.byte() % 8) {
    case 0:
    case 1:
      run_ring<spsc_bytes>(bytes);
      break;
    case 2:
      run_ring<spsc_slots>(bytes);
      break;
    case 3:
    case 4:
      run_ring<mpsc_bytes>(bytes);
      break;
    case 5:
      run_ring<mpsc_slots>(bytes);
      break;
    default:
      run_value_writer(memory, bytes);
  }
  return 0;
}
