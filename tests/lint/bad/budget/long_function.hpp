// place: include/weir/record.hpp
// expect: a function of 41 lines
struct s {
  s() : a{1}, b{2} {
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
    ++a;
  }
  int a;
  int b;
};
