# Compiles with Zig's Clang for the system that ZIG_TARGET names, such as aarch64-linux-gnu.2.28; ZIG is
# the program. Zig links its own libc++ into the module, so that a wheel asks for no other.
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "$ENV{ZIG_TARGET}")
set(CMAKE_CXX_COMPILER "$ENV{ZIG}" c++ -target "$ENV{ZIG_TARGET}")
# CMAKE_AR cannot be two words.
set(CMAKE_CXX_ARCHIVE_CREATE "\"$ENV{ZIG}\" ar qcD <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_APPEND "\"$ENV{ZIG}\" ar qD <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "")
# Asked what it is, CMake would have it link, for which Zig builds its libc++ without optimizing: a
# minute for each target. So it is named here, and its checks do not link.
set(CMAKE_CXX_COMPILER_ID_RUN TRUE)
set(CMAKE_CXX_COMPILER_ID Clang)
set(CMAKE_EXECUTABLE_FORMAT ELF)
set(CMAKE_CXX_COMPILER_VERSION 22)
set(CMAKE_CXX_COMPILER_FRONTEND_VARIANT GNU)
set(CMAKE_CXX_STANDARD_COMPUTED_DEFAULT 17)
set(CMAKE_CXX_EXTENSIONS_COMPUTED_DEFAULT ON)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
# Zig passes -O2 for -O3, and keeps frame pointers: some 5 % of look-ups.
add_compile_options(-fomit-frame-pointer "SHELL:-Xclang -O3")
