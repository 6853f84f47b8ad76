// SPDX-License-Identifier: MIT
/// Whoever writes a value that is overwritten dies: the writer of a latest, a publisher of versions.
#include "kill/scenario.hpp"
#include "support/guarded_span.hpp"
#include "support/pattern.hpp"

#include <weir/latest.hpp>
#include <weir/version_table.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::test::kills {
namespace {

constexpr std::uint32_t value_size = 29;
using value_bytes = std::array<std::byte, value_size>;

struct latest_state {
  const char* name;
  std::uint32_t buffers = 2;
  bool wide = false;
  std::uint64_t start = 0;
  std::uint32_t values = 3;  ///< written beforehand
};
constexpr std::array<latest_state, 7> latest_states{{
    {.name = "two"},
    {.name = "three", .buffers = 3},
    {.name = "one", .buffers = 1},
    {.name = "empty", .values = 0},
    {.name = "at_2^31", .start = 0x7FFF'FFFD},
    {.name = "wide_2^31", .wide = true, .start = 0x7FFF'FFFD},
    {.name = "wide_2^32", .wide = true, .start = 0xFFFF'FFFD},
}};

class latest_writer_dies : public scenario {
 public:
  explicit latest_writer_dies(const latest_state& how) : how_{how} {
    auto writer = value_.writer().value();
    for (std::uint32_t number = 1; number <= how.values; ++number) {
      static_cast<void>(write(writer, number));
    }
  }

  void operate(stage& here) override {
    auto writer = value_.writer().value();
    here.may_show(1);
    here.begin();
    if (write(writer, how_.values + 1)) here.must_show(1);
    here.end();
  }

  void survive(const stage& here, const death&, verdict& found) override {
    auto reader = value_.reader().value();
    value_bytes out{};
    const auto outcome = reader.read(out, 5);
    found.outcome(name(outcome));
    if (outcome == status::ok) {
      const bool newest = has_pattern(out, how_.values + 1);
      found.whole(newest || (how_.values != 0 && has_pattern(out, how_.values)),
                  "a value that nobody wrote");
      found.kept(newest || here.must() == 0, "a value that was published");
      found.outcome(newest ? "new value" : "old value");
    } else if (outcome == status::empty) {
      found.kept(how_.values == 0 && here.must() == 0, "the value");
    } else {
      found.kept(outcome == status::torn && how_.buffers == 1 && here.must() == 0, name(outcome));
    }
    go_on(reader, found);
  }

 private:
  using value_type = latest<bytes>;

  template <class Writer>
  static auto write(Writer& writer, std::uint32_t number) -> bool {
    value_bytes bytes{};
    fill_pattern(bytes, number);
    return writer.write(bytes) == status::ok;
  }
  template <class Reader>
  void go_on(Reader& reader, verdict& found) {
    auto successor = value_.writer();
    if (!found.moves(static_cast<bool>(successor), name(successor.status()))) return;
    value_bytes out{};
    for (std::uint32_t number = 20; number < 26; ++number) {
      found.moves(write(*successor, number), "the successor cannot write");
      const auto outcome = reader.try_read_new(out, 1);
      found.kept(outcome == status::ok, name(outcome));
      found.whole(has_pattern(out, number), "what the successor wrote");
    }
    found.whole(memory_.intact(), "bytes beside the value");
  }
  [[nodiscard]] auto options() const -> latest_options {
    return {.size = value_size,
            .buffers = how_.buffers,
            .wide_version = how_.wide,
            .process_shared = true,
            .start_version = how_.start};
  }

  latest_state how_;
  guarded_span memory_{value_type::bytes_required(options())};
  value_type value_{value_type::format(memory_.bytes(), options()).value()};
};

// --- versions

struct table_state {
  const char* name;
  std::uint32_t version = 0;
  std::uint32_t counter = 0;
  std::uint32_t slots = 40;
};
constexpr std::array<table_state, 5> table_states{{
    {.name = "fresh"},
    {.name = "one_slot", .slots = 1},
    {.name = "two_levels", .slots = 2000},
    {.name = "at_2^31", .version = 0x7FFF'FFFE, .counter = 0x7FFF'FFFE},
    {.name = "at_2^32", .version = 0xFFFF'FFFE, .counter = 0xFFFF'FFFE},
}};

/// `Whole`: begin() and end(), with a value between them; else publish().
template <bool Whole>
class publisher_dies : public scenario {
 public:
  explicit publisher_dies(const table_state& how) : how_{how} {
    reader_.mark_all_seen();
    if (how.slots > 1) table_.slot(other())->publish();
  }

  void operate(stage& here) override {
    auto slot = table_.slot(0).value();
    here.may_show(1);
    here.begin();
    if constexpr (Whole) {
      slot.begin();
      here.note(0, 1);
      here.note(0, 2);
      slot.end();
    } else {
      slot.publish();
    }
    here.must_show(1);
    here.end();
  }

  void survive(const stage& here, const death&, verdict& found) override {
    std::uint32_t told = 0;
    bool told_other = how_.slots == 1;
    const auto look = [&] {
      reader_.changed([&](std::uint32_t slot, std::uint32_t version) {
        found.whole(version == table_.version(slot) && version % 2 == 0, "an odd version");
        told += slot == 0 ? 1 : 0;
        told_other = told_other || slot == other();
      });
    };
    look();
    const auto version = table_.version(0);
    found.outcome(version % 2 != 0          ? "begun"
                  : told != 0               ? "told"
                  : version != how_.version ? "untold"
                                            : "nothing");
    found.kept(told_other, "the change of another slot");
    found.kept(told == 1 || here.must() == 0, "a change that was published");
    auto slot = table_.slot(0).value();
    if (version % 2 == 0 && version != how_.version && told == 0) {
      slot.touch();  // what PROTOCOLS say a survivor does for the dead
      look();
      found.kept(told == 1, "a change after touch()");
    }
    for (std::uint32_t round = 0; round < 3; ++round) {
      told = 0;
      slot.begin();
      slot.end();
      look();
      found.kept(told == 1, "what the successor published");
      found.whole(table_.version(0) % 2 == 0, "an odd version behind end()");
    }
    found.whole(memory_.intact(), "bytes beside the table");
  }

 private:
  [[nodiscard]] auto options() const -> version_table_options {
    return {.slots = how_.slots,
            .process_shared = true,
            .start_version = how_.version,
            .start_counter = how_.counter};
  }
  [[nodiscard]] auto other() const -> std::uint32_t { return how_.slots - 1; }

  table_state how_;
  guarded_span memory_{version_table<>::bytes_required(options())};
  version_table<> table_{version_table<>::format(memory_.bytes(), options()).value()};
  std::vector<std::uint32_t> seen_ =
      std::vector<std::uint32_t>(version_table<>::seen_words(how_.slots));
  version_table<>::reader_type<> reader_{table_.reader(seen_).value()};
};

}  // namespace

void add_values(catalog& all) {
  add_states<latest_writer_dies>(all, central, "latest", "write", latest_states);
  add_states<publisher_dies<false>>(all, central, "versions", "publish", table_states);
  add_states<publisher_dies<true>>(all, central, "versions", "begin_end", table_states);
}

}  // namespace weir::test::kills
