// SPDX-License-Identifier: MIT
// Values that are overwritten, and keyed values, under fire.
#include "hostile/victims.hpp"

#include <weir/broadcast_ring.hpp>
#include <weir/coalesce.hpp>
#include <weir/latest.hpp>
#include <weir/layout.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace weir::test {
namespace {

inline constexpr auto wait_says = one_of(status::ok, status::closed, status::corrupt,
                                         status::timed_out, status::peer_dead, status::stopped);

[[nodiscard]] auto some_bytes(seeded_random& random, std::uint32_t most)
    -> std::span<const std::byte> {
  static const std::array<std::byte, 1024> bytes{std::byte{7}};
  return std::span{bytes}.first(random.below(most));
}

// --- latest

template <bool Reads>
class latest_victim {
  using type = latest<bytes, scribbled_memory>;
  static constexpr std::uint32_t most = 256;

 public:
  static constexpr const char* name = Reads ? "latest.reader" : "latest.writer";
  static constexpr auto span_size =
      static_cast<std::uint32_t>(type::bytes_required({.size = most, .buffers = 4}));
  static constexpr std::uint32_t data_offset = layout::latest::data;

  explicit latest_victim(scene at) : at_{at} {}
  [[nodiscard]] auto is_over() const noexcept -> bool { return false; }

  void restart() {
    writer_.reset();
    reader_.reset();
    auto& random = at_.random;
    auto made = type::format(at_.span(), {.size = 1 + random.below(most),
                                          .buffers = 1 + random.below(4),
                                          .wide_version = random.once_in(2),
                                          .process_shared = random.once_in(2),
                                          .start_version = random.next()});
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (made) take(*made);
  }

  void step() {
    auto& random = at_.random;
    if (random.once_in(32)) {
      auto found = type::attach(at_.span());
      at_.seen.saw("attach", found.status(), attach_says);
      if (!found) return;
      at_.seen.expect("attach", found->size() <= at_.span().size(), "a value too large");
      static_cast<void>(found->statistics());
      static_cast<void>(found->version());
      return take(*found);
    }
    if (Reads == random.once_in(8)) {
      if (writer_) write();
    } else {
      if (reader_) read();
    }
  }

 private:
  void take(type& from) {
    writer_.reset();
    auto writer = from.writer();
    at_.seen.saw("writer()", writer.status(), role_says);
    if (writer) writer_.emplace(std::move(writer).value());
    auto reader = from.reader<short_park>();
    at_.seen.saw("reader()", reader.status(), role_says);
    reader_.reset();
    if (reader) reader_.emplace(std::move(reader).value());
  }
  void write() {
    const auto value = some_bytes(at_.random, writer_->size() + 2);
    at_.seen.saw("write", writer_->write(value),
                 one_of(status::ok, status::too_large, status::closed));
    if (at_.random.once_in(16)) writer_->flush();
    if (at_.random.once_in(1024)) writer_->close();
  }
  void read() {
    guarded_out out{at_.random.once_in(8) ? at_.random.below(most) : reader_->size()};
    constexpr auto says = one_of(status::ok, status::empty, status::torn, status::too_large);
    if (at_.random.once_in(512)) {
      at_.seen.saw("wait", reader_->wait(soon()), wait_says);
    } else if (at_.random.once_in(2)) {
      at_.seen.saw("read", reader_->read(out.span(), 1 + at_.random.below(8)), says);
    } else {
      at_.seen.saw("try_read_new", reader_->try_read_new(out.span()),
                   says | one_of(status::closed));
    }
    out.check(at_.seen, "read");
  }

  scene at_;
  std::optional<type::writer_type> writer_;
  std::optional<type::reader_type<short_park>> reader_;
};

// --- broadcast

template <bool Reads>
class broadcast_victim {
  using type = broadcast_ring<bytes, scribbled_memory>;
  static constexpr std::uint32_t most = 2048;

 public:
  static constexpr const char* name = Reads ? "broadcast.reader" : "broadcast.writer";
  static constexpr auto span_size = static_cast<std::uint32_t>(type::bytes_required(most));
  static constexpr std::uint32_t data_offset = layout::broadcast::data;

  explicit broadcast_victim(scene at) : at_{at} {}
  [[nodiscard]] auto is_over() const noexcept -> bool { return Reads && reading_.is_over(); }

  void restart() {
    writer_.reset();
    reader_.reset();
    auto& random = at_.random;
    auto capacity = type::min_capacity;
    while (capacity < most && random.once_in(2)) capacity *= 2;
    auto made = type::format(
        at_.span(),
        {.capacity = capacity,
         .process_shared = random.once_in(2),
         .start_position = (std::uint64_t{random.below(64)} << 32 | random.next()) & ~7ULL});
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (!made) return;
    take(*made);
    for (auto count = random.below(40); count != 0 && writer_; --count) write();
  }

  void step() {
    auto& random = at_.random;
    if (random.once_in(32)) {
      auto found = type::attach(at_.span());
      at_.seen.saw("attach", found.status(), attach_says);
      if (!found) return;
      static_cast<void>(found->statistics());
      return take(*found);
    }
    if (Reads == random.once_in(8)) {
      if (writer_) write();
    } else {
      if (reader_) read();
    }
  }

 private:
  void take(type& from) {
    writer_.reset();
    auto writer = from.writer();
    at_.seen.saw("writer()", writer.status(), role_says);
    if (writer) writer_.emplace(std::move(writer).value());
    auto reader = from.reader<short_park>(at_.random.once_in(2) ? from::oldest : from::newest);
    at_.seen.saw("reader()", reader.status(), role_says);
    reader_.reset();
    reading_.reset();
    if (reader) reader_.emplace(std::move(reader).value());
  }
  void write() {
    const auto value = some_bytes(at_.random, at_.random.once_in(16) ? 1024 : 32);
    at_.seen.saw("write", writer_->write(value, at_.random.below(4)),
                 one_of(status::ok, status::too_large, status::closed));
    if (at_.random.once_in(16)) writer_->flush();
    if (at_.random.once_in(1024)) writer_->close();
  }
  void read() {
    if (at_.random.once_in(512)) {
      const auto outcome = reader_->wait(soon());
      at_.seen.saw("wait", outcome, wait_says);
      return reading_.judge(at_.seen, "wait", outcome);
    }
    guarded_out out{at_.random.once_in(8) ? at_.random.below(64) : reader_->max_record()};
    const auto done = reader_->read(out.span());
    at_.seen.saw("read", done.outcome,
                 one_of(status::ok, status::empty, status::closed, status::lost, status::too_large,
                        status::torn, status::corrupt));
    out.check(at_.seen, "read");
    at_.seen.expect("read", done.outcome != status::ok || done.size <= out.span().size(),
                    "a size beyond the buffer");
    reading_.judge(at_.seen, "read", done.outcome);
  }

  scene at_;
  std::optional<type::writer_type> writer_;
  std::optional<type::reader_type<short_park>> reader_;
  sticky_corrupt reading_;
};

// --- coalesce

template <bool Reads>
class coalesce_victim {
  using type = coalesce<bytes, scribbled_memory>;
  static constexpr std::uint32_t most_keys = 70;
  static constexpr std::uint32_t most = 48;

 public:
  static constexpr const char* name = Reads ? "coalesce.reader" : "coalesce.writer";
  static constexpr auto span_size =
      static_cast<std::uint32_t>(type::bytes_required(most_keys, most));
  static constexpr std::uint32_t data_offset = layout::coalesce::roots;

  explicit coalesce_victim(scene at) : at_{at} {}
  [[nodiscard]] auto is_over() const noexcept -> bool {
    return (Reads ? reading_ : writing_).is_over();
  }

  void restart() {
    producer_.reset();
    consumer_.reset();
    auto& random = at_.random;
    auto made = type::format(at_.span(), {.keys = 1 + random.below(most_keys),
                                          .max_value = 1 + random.below(most),
                                          .process_shared = random.once_in(2)});
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (!made) return;
    take(*made);
    for (auto count = random.below(40); count != 0 && producer_; --count) update();
  }

  void step() {
    auto& random = at_.random;
    if (random.once_in(64)) {
      auto found = type::attach(at_.span());
      at_.seen.saw("attach", found.status(), attach_says);
      if (!found) return;
      static_cast<void>(found->statistics());
      return take(*found);
    }
    if (Reads == random.once_in(4)) {
      if (producer_) update();
    } else {
      if (consumer_) drain();
    }
  }

 private:
  void take(type& from) {
    producer_.reset();
    writing_.reset();
    auto producer = from.producer();
    at_.seen.saw("producer()", producer.status(), role_says);
    if (producer) producer_.emplace(std::move(producer).value());
    consumer_.reset();
    reading_.reset();
    auto consumer = from.consumer<short_park>();
    at_.seen.saw("consumer()", consumer.status(), role_says);
    if (consumer) consumer_.emplace(std::move(consumer).value());
  }
  void update() {
    const auto key = at_.random.below(producer_->keys() + 1);
    const auto outcome =
        producer_->update(key, some_bytes(at_.random, producer_->max_value() + 2), 1);
    at_.seen.saw("update", outcome,
                 one_of(status::ok, status::too_large, status::closed, status::corrupt));
    writing_.judge(at_.seen, "update", outcome, outcome == status::too_large);
    if (at_.random.once_in(16)) producer_->flush();
    if (at_.random.once_in(1024)) producer_->close();
  }
  void drain() {
    if (at_.random.once_in(512)) {
      const auto outcome = consumer_->wait(soon());
      at_.seen.saw("wait", outcome, wait_says);
      return reading_.judge(at_.seen, "wait", outcome);
    }
    std::uint32_t shown = 0;
    const auto done = consumer_->drain([&](const coalesced<bytes>& news) {
      ++shown;
      at_.seen.expect("drain", news.key < consumer_->keys(), "no such key");
      at_.seen.expect("drain", news.value.size() <= consumer_->max_value(), "a value too large");
      at_.seen.inside("drain", news.value, at_.span().subspan(data_offset));
    });
    at_.seen.saw("drain", done.outcome, one_of(status::empty, status::closed, status::corrupt));
    at_.seen.expect("drain", shown == done.records && shown <= consumer_->keys() + 1,
                    "a wrong count");
    reading_.judge(at_.seen, "drain", done.outcome);
  }

  scene at_;
  std::optional<type::producer_type> producer_;
  std::optional<type::consumer_type<short_park>> consumer_;
  sticky_corrupt reading_;
  sticky_corrupt writing_;
};

}  // namespace

auto value_victims() -> std::span<const victim_entry> {
  static constexpr victim_entry entries[] = {
      entry_of<latest_victim<true>>(),    entry_of<latest_victim<false>>(),
      entry_of<broadcast_victim<true>>(), entry_of<broadcast_victim<false>>(),
      entry_of<coalesce_victim<true>>(),  entry_of<coalesce_victim<false>>()};
  return entries;
}

}  // namespace weir::test
