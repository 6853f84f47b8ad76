// SPDX-License-Identifier: MIT
/// Plays sound as an audio callback has to: block by block, on time, without ever waiting.
///
/// A feeder reads ahead, a conductor turns the knobs, and the callback takes a block and the newest
/// parameters in each period; links.hpp has the picture. With the virtual clock a run plays, sample by
/// sample, what one thread without Weir plays: --reference.
#include "../command_line.hpp"
#include "callback.hpp"
#include "device.hpp"
#include "effects.hpp"
#include "feeder.hpp"
#include "links.hpp"
#include "score.hpp"
#include "sound.hpp"
#include "wav.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <future>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace audio_blocks;

constexpr auto program_name = "audio_blocks";

struct options {
  std::string in;
  std::string score = WEIR_EXAMPLE_SCORE;
  std::string out;
  std::uint32_t block = 128;  // what an AudioWorklet gets
  std::uint32_t rate = 48'000;
  std::uint32_t ahead = 32;
  std::uint32_t gain = 120;
  std::uint32_t changes = 20;
  std::uint32_t starve = 0;
  bool realtime = false;
  bool reference = false;
};

/// What is to be played, and how.
struct piece {
  sound source;
  std::uint32_t block_frames;
  std::uint64_t blocks;
  rest resting;
  std::vector<change> schedule;  ///< the first one of period 0

  [[nodiscard]] auto block_samples() const -> std::size_t {
    return std::size_t{block_frames} * source.channels;
  }
  /// If all goes well.
  [[nodiscard]] auto periods() const -> std::uint64_t { return blocks + resting.periods; }
  /// In seconds.
  [[nodiscard]] auto period() const -> double {
    return static_cast<double>(block_frames) / source.rate;
  }
};

struct outcome {
  sound played;
  std::uint64_t underruns = 0;
  std::uint64_t changes = 0;
  std::uint64_t high_water = 0;  ///< of the ring, in blocks
  std::chrono::nanoseconds lateness{};
};

auto prepare(const options& chosen) -> piece {
  auto source =
      chosen.in.empty() ? render(read_score(chosen.score), chosen.rate) : read_wav(chosen.in);
  piece made{std::move(source), chosen.block, 0, {}, {}};
  made.blocks = (made.source.frames() + chosen.block - 1) / chosen.block;
  if (chosen.starve != 0 && made.blocks < 2) {
    throw std::runtime_error{"--starve: the sound has only one block"};
  }
  made.resting = {made.blocks / 2, chosen.starve};
  made.schedule = make_schedule(made.periods(), made.period(), chosen.changes,
                                static_cast<float>(chosen.gain) / 100, made.source.rate);
  return made;
}

// --- with threads

/// Sets the parameters of each period when the one before was played.
class conductor {
 public:
  /// Sets those of the first.
  conductor(const links& shared, std::span<const change> schedule)
      : settings_{required(shared.settings.writer(), "the writer of the parameters")},
        played_{shared.played},
        left_{schedule.subspan(1)} {
    require_ok(settings_.write(schedule.front().value), "the parameters");
  }

  /// Sets the others, and closes in the end, whatever happens.
  void run() {
    struct ending {
      conductor& over;
      ~ending() { over.settings_.close(); }
    } const always{*this};
    for (const auto& next : left_) {
      if (!played_.reaches(next.period)) return;
      require_ok(settings_.write(next.value), "the parameters");
    }
  }

 private:
  parameter_value::writer_type settings_;
  played_watch played_;
  std::span<const change> left_;
};

template <class Clock>
auto play(const piece& wanted, const links& shared, std::uint64_t most_periods, const Clock& timing)
    -> outcome {
  feeder feed{shared, wanted.source, wanted.block_frames, wanted.resting};
  conductor conducting{shared, wanted.schedule};
  audio_callback called{shared, wanted.source.channels};
  device output{shared, wanted.block_samples(), most_periods, timing, called};
  auto feeding = std::async(std::launch::async, [&] { feed.run(); });
  // Ends the feeder, which would wait for ever if there were no thread for the device.
  struct ending {
    audio_callback& over;
    ~ending() { over.end(); }
  } const always{called};
  auto playing = std::async(std::launch::async, [&] { output.run(); });
  conducting.run();
  playing.get();
  feeding.get();
  const auto frame = weir::record::frame_size(wanted.block_samples() * sizeof(float));
  return {.played = {wanted.source.rate, wanted.source.channels, output.take_recorded()},
          .underruns = called.underruns(),
          .changes = called.changes(),
          .high_water = shared.blocks.statistics().producer.high_water / frame,
          .lateness = output.lateness()};
}

auto play(const piece& wanted, const options& chosen) -> outcome {
  const links shared{static_cast<std::uint32_t>(wanted.block_samples() * sizeof(float)),
                     chosen.ahead};
  if (!chosen.realtime) {
    return play(wanted, shared, wanted.periods(), virtual_clock{shared, wanted.resting});
  }
  // Underruns make it longer. The callback can take no memory: this is what there is.
  const auto second = wanted.source.rate / wanted.block_frames + 1;
  return play(wanted, shared, 2 * wanted.periods() + second,
              real_clock{wanted.block_frames, wanted.source.rate});
}

// --- without

auto play_reference(const piece& wanted) -> outcome {
  outcome done{.played = {wanted.source.rate, wanted.source.channels, {}}};
  effects applied{wanted.source.channels, wanted.schedule.front().value};
  std::span<const change> changes{wanted.schedule};
  changes = changes.subspan(1);
  std::span<const float> left{wanted.source.samples};
  for (std::uint64_t period = 0; !left.empty(); ++period) {
    if (!changes.empty() && changes.front().period == period) {
      applied.set(changes.front().value);
      changes = changes.subspan(1);
      ++done.changes;
    }
    std::vector<float> block(wanted.block_samples());
    if (wanted.resting.covers(period)) {
      ++done.underruns;
    } else {
      const auto from = left.first(std::min(block.size(), left.size()));
      std::ranges::copy(from, block.begin());
      left = left.subspan(from.size());
      applied.process(block);
    }
    done.played.samples.insert(done.played.samples.end(), block.begin(), block.end());
  }
  return done;
}

// --- the program

void report(const piece& wanted, const options& chosen, const outcome& done) {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  const auto& samples = done.played.samples;
  std::printf("sound %u Hz, %u channels, %.2f s\n", wanted.source.rate, wanted.source.channels,
              static_cast<double>(wanted.source.frames()) / wanted.source.rate);
  std::printf("blocks %llu of %u frames\n", number(wanted.blocks), wanted.block_frames);
  std::printf("periods %llu\n", number(samples.size() / wanted.block_samples()));
  std::printf("underruns %llu\n", number(done.underruns));
  std::printf("parameter changes %llu of %llu\n", number(done.changes),
              number(wanted.schedule.size() - 1));
  if (!chosen.reference) std::printf("most blocks in the ring %llu\n", number(done.high_water));
  if (chosen.realtime) {
    std::printf("worst lateness %.3f ms, period %.3f ms\n",
                std::chrono::duration<double, std::milli>{done.lateness}.count(),
                wanted.period() * 1000);
  }
  std::printf("peak %.4f\n", static_cast<double>(peak(samples)));
  std::printf("crc32 %08x\n", crc32(samples));
}

auto run(const options& chosen) -> int {
  const auto wanted = prepare(chosen);
  std::optional<wav_writer> file;
  if (!chosen.out.empty()) file.emplace(chosen.out);
  const auto done = chosen.reference ? play_reference(wanted) : play(wanted, chosen);
  report(wanted, chosen, done);
  if (file) file->write(done.played);
  return 0;
}

void define(CLI::App& program, options& chosen) {
  auto* in = program.add_option("--in", chosen.in, "WAV file to play");
  auto* score = program.add_option("--score", chosen.score, "Score to play, without --in");
  program.add_option("--out", chosen.out, "WAV file for what is played");
  program.add_option("--block", chosen.block, "Frames in a block")->check(CLI::Range(16U, 4096U));
  auto* rate = program.add_option("--rate", chosen.rate, "Frames per second of a score")
                   ->check(CLI::Range(8000U, 192'000U));
  program.add_option("--ahead", chosen.ahead, "Blocks that the ring holds, at least")
      ->check(CLI::Range(1U, 4096U));
  program.add_option("--gain", chosen.gain, "Loudness in percent")->check(CLI::Range(0U, 800U));
  program
      .add_option(
          "--changes", chosen.changes,
          "Changes of the parameters per second; 0: the sound stays as it is, but for the gain")
      ->check(CLI::Range(0U, 1000U));
  program.add_option("--starve", chosen.starve, "Periods that the feeder misses in the middle")
      ->check(CLI::Range(0U, 1000U));
  auto* realtime = program.add_flag("--realtime", chosen.realtime, "Play in time, not at once");
  auto* reference =
      program.add_flag("--reference", chosen.reference, "One thread, no ring, the same result");
  in->excludes(score)->excludes(rate);
  reference->excludes(realtime);
}

}  // namespace

auto main(int argc, char** argv) -> int {
  return example::guarded(program_name, [&] {
    CLI::App program{"Plays sound in an audio callback", program_name};
    program.option_defaults()->always_capture_default();
    options chosen;
    define(program, chosen);
    const auto end = example::parse(program, argc, argv);
    return end ? *end : run(chosen);
  });
}
