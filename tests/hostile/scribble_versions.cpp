// SPDX-License-Identifier: MIT
// Version tables and doorbells under fire.
#include "hostile/victims.hpp"

#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/version_table.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace weir::test {
namespace {

inline constexpr auto wait_says = one_of(status::ok, status::timed_out, status::empty);

template <bool Reads>
class version_victim {
  using type = version_table<scribbled_memory>;
  static constexpr std::uint32_t most = 300;
  static constexpr std::uint32_t value_words = 16;  // behind the table: what is read under versions
  static constexpr auto table_size =
      static_cast<std::uint32_t>(type::bytes_required({.slots = most}));

 public:
  static constexpr const char* name = Reads ? "version_table.reader" : "version_table.writer";
  static constexpr std::uint32_t span_size = table_size + 4 * value_words;
  static constexpr std::uint32_t data_offset = layout::version_table::root;

  explicit version_victim(scene at) : at_{at} {}
  [[nodiscard]] auto is_over() const noexcept -> bool { return false; }

  void restart() {
    auto& random = at_.random;
    const bool padded = random.once_in(2);
    const auto slots = 1 + random.below(padded ? 16 : most);
    auto made = type::format(table_span(), {.slots = slots,
                                            .padded = padded,
                                            .process_shared = random.once_in(2),
                                            .start_version = random.next() & ~1U,
                                            .start_counter = random.next() & ~1U});
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (made) take(*made);
  }

  void step() {
    auto& random = at_.random;
    if (random.once_in(32)) {
      auto found = type::attach(table_span());
      at_.seen.saw("attach", found.status(), attach_says);
      if (found) take(*found);
    }
    if (!table_) return;
    if (Reads == random.once_in(8)) {
      write();
    } else {
      read();
    }
  }

 private:
  [[nodiscard]] auto table_span() const noexcept -> std::span<std::byte> {
    return at_.span().first(table_size);
  }
  void take(const type& found) {
    reader_.reset();
    table_ = found;
    at_.seen.expect("attach", found.slots() <= most, "more versions than the span holds");
    auto reader = found.reader<short_park>(seen_);
    at_.seen.saw("reader()", reader.status(), role_says);
    if (reader) reader_.emplace(std::move(reader).value());
    static_cast<void>(found.statistics());
  }
  [[nodiscard]] auto slot() -> result<type::slot_type> {
    auto slot = table_->slot(at_.random.below(table_->slots() + 1));
    at_.seen.saw("slot()", slot.status(), one_of(status::ok, status::bad_layout));
    return slot;
  }
  void write() {
    auto found = slot();
    if (!found) return;
    switch (at_.random.below(4)) {
      case 0:
        static_cast<void>(found->publish());
        break;
      case 1:
        found->begin();
        if (!at_.random.once_in(8)) static_cast<void>(found->end());
        break;
      case 2:
        found->touch();
        break;
      default:
        found->begin();
        found->end_as(at_.random.next() & ~1U);
        break;
    }
    at_.seen.count();
  }
  void read() {
    auto& random = at_.random;
    if (random.once_in(4)) return read_under();
    if (!reader_) return;
    if (random.once_in(256)) return wait();
    std::uint32_t shown = 0;
    const auto count = reader_->changed([&](std::uint32_t number, std::uint32_t version) {
      ++shown;
      at_.seen.expect("changed", number < table_->slots() && is_whole(version), "no such slot");
    });
    at_.seen.expect("changed", count == shown && count <= table_->slots(), "a wrong count");
    at_.seen.count();
    if (random.once_in(16)) reader_->mark_all_seen();
    if (random.once_in(16)) reader_->forget();
  }
  void read_under() {
    auto found = slot();
    if (!found) return;
    guarded_out out{4 * at_.random.below(value_words + 1)};
    auto version = found->read(out.span(), at_.memory.word(table_size));
    at_.seen.saw("read", version.status(), one_of(status::ok, status::torn));
    out.check(at_.seen, "read");
    if (version) at_.seen.expect("read", is_whole(*version), "a value that was being written");
  }
  void wait() {
    switch (at_.random.below(3)) {
      case 0:
        at_.seen.saw("wait_any", reader_->wait_any(soon()), wait_says);
        break;
      case 1:
        at_.seen.saw("wait", reader_->wait(at_.random.below(table_->slots()), 2, soon()),
                     wait_says);
        break;
      default:
        at_.seen.saw("wait_all", reader_->wait_all(at_.random.next() & ~1U, soon()), wait_says);
        break;
    }
  }

  scene at_;
  std::array<std::uint32_t, type::seen_words(most)> seen_{};
  std::optional<type> table_;
  std::optional<type::reader_type<short_park>> reader_;
};

class doorbell_victim {
  using type = doorbell<scribbled_memory>;

 public:
  static constexpr const char* name = "doorbell";
  static constexpr std::uint32_t span_size = layout::doorbell::size;
  static constexpr std::uint32_t data_offset = layout::doorbell::park;

  explicit doorbell_victim(scene at) : at_{at} {}
  [[nodiscard]] auto is_over() const noexcept -> bool { return false; }

  void restart() {
    auto made = type::format(at_.span(), {.process_shared = at_.random.once_in(2)});
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (made) bell_ = *made;
  }
  void step() {
    auto& random = at_.random;
    if (random.once_in(16)) {
      auto found = type::attach(at_.span());
      at_.seen.saw("attach", found.status(), attach_says);
      if (found) bell_ = *found;
    }
    if (!bell_) return;
    if (random.once_in(512)) {
      std::uint32_t looks = 0;
      const auto outcome =
          bell_.wait<short_park>([&] { return ++looks > 40 ? status::ok : status::empty; }, soon());
      at_.seen.saw("wait", outcome, one_of(status::ok, status::timed_out, status::unsupported));
      return;
    }
    bell_.ring();
    at_.seen.count();
  }

 private:
  scene at_;
  type bell_;
};

}  // namespace

auto version_victims() -> std::span<const victim_entry> {
  static constexpr victim_entry entries[] = {entry_of<version_victim<true>>(),
                                             entry_of<version_victim<false>>(),
                                             entry_of<doorbell_victim>()};
  return entries;
}

}  // namespace weir::test
