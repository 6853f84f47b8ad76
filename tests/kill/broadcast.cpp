// SPDX-License-Identifier: MIT
/// The writer of a broadcast_ring dies. Its readers read on, and a successor writes on.
#include "kill/scenario.hpp"
#include "support/guarded_span.hpp"
#include "support/pattern.hpp"

#include <weir/broadcast_ring.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace weir::test::kills {
namespace {

using ring_type = broadcast_ring<>;
constexpr std::uint32_t capacity = 256;
constexpr std::uint32_t most = 16;

struct broadcast_state {
  const char* name;
  std::uint64_t start = 0;
  std::uint32_t records = 0;
};
constexpr std::array<broadcast_state, 6> states{{
    {.name = "empty"},
    {.name = "half", .records = 4},
    {.name = "lapped", .records = 40},
    {.name = "wrapping", .start = capacity - 24},
    {.name = "at_2^31", .start = 0x8000'0000 - 24},
    {.name = "at_2^32", .start = 0x1'0000'0000 - 24},
}};

auto size_of(std::uint32_t number) -> std::uint32_t { return 16 - number % 5; }

template <class Writer>
auto write(Writer& writer, std::uint32_t number) -> bool {
  std::array<std::byte, most> bytes;
  const auto record = std::span{bytes}.first(size_of(number));
  fill_pattern(record, number);
  return writer.write(record, number) == status::ok;
}

class broadcast_writer_dies : public scenario {
 public:
  explicit broadcast_writer_dies(const broadcast_state& how)
      : ring_{ring_type::format(
                  memory_.bytes(),
                  {.capacity = capacity, .process_shared = true, .start_position = how.start})
                  .value()},
        reader_{ring_.reader().value()},
        before_{how.records} {
    auto writer = ring_.writer().value();
    for (std::uint32_t number = 0; number < before_; ++number) {
      static_cast<void>(write(writer, number));
    }
  }

  void operate(stage& here) override {
    auto writer = ring_.writer().value();
    here.may_show(1);
    here.begin();
    if (write(writer, before_)) here.must_show(1);
    here.end();
  }

  void survive(const stage& here, const death&, verdict& found) override {
    auto late = ring_.reader().value();
    auto next = read_on(reader_, 0, before_ < 10, found);
    found.kept(next >= before_ + here.must(), "a record that was published");
    found.whole(next <= before_ + here.may(), "a record that was never published");
    found.outcome(next == before_ ? "nothing" : "published");
    auto successor = ring_.writer();
    if (!found.moves(static_cast<bool>(successor), name(successor.status()))) return;
    found.kept(successor->number() == next, "the count of records");
    for (std::uint32_t more = 0; more < 40; ++more) {
      found.moves(write(*successor, next), "the successor cannot write");
      const auto now = read_on(reader_, next, true, found);
      found.kept(now == ++next, "what the successor wrote");
    }
    found.moves(read_on(late, 0, false, found) == next, "a reader that comes late");
    found.whole(memory_.intact(), "bytes beside the ring");
  }

 private:
  /// Reads all there is. Returns  the number of the next record.
  static auto read_on(ring_type::reader_type<>& reader, std::uint32_t next, bool loses_nothing,
                      verdict& found) -> std::uint32_t {
    std::array<std::byte, most> out;
    for (int reads = 0; reads < 100; ++reads) {
      const auto done = reader.read(out);
      if (done.outcome == status::lost) {
        found.kept(!loses_nothing, "a record that nothing overwrote");
        next = static_cast<std::uint32_t>(done.number);
      } else if (done.outcome == status::ok) {
        const auto number = static_cast<std::uint32_t>(done.number);
        if (!loses_nothing) next = number;
        found.whole(number == next && done.type == number && done.size == size_of(number) &&
                        has_pattern(std::span{out}.first(done.size), number),
                    "a record that nobody wrote, or in another place");
        ++next;
      } else {
        found.moves(done.outcome == status::empty, name(done.outcome));
        return next;
      }
    }
    found.moves(false, "a reader comes to no end");
    return next;
  }

  guarded_span memory_{ring_type::bytes_required(capacity)};
  ring_type ring_;
  ring_type::reader_type<> reader_;
  std::uint32_t before_;
};

}  // namespace

void add_broadcast(catalog& all) {
  add_states<broadcast_writer_dies>(all, central, "broadcast", "write", states);
}

}  // namespace weir::test::kills
