# Libraries that bring no CMake target of their own everywhere, as stac::hdf5, stac::lapacke and stac::openblas. For the build
# and for stacConfig.cmake; after find_package(HDF5) and find_library of OPENBLAS_LIBRARY and LAPACKE_LIBRARY.
foreach(name hdf5 lapacke openblas)
  if(NOT TARGET stac::${name})
    add_library(stac::${name} INTERFACE IMPORTED)
    if(name STREQUAL hdf5)
      set_target_properties(stac::hdf5 PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${HDF5_C_INCLUDE_DIRS}"
                                                  INTERFACE_LINK_LIBRARIES "${HDF5_C_LIBRARIES}")
    else()
      string(TOUPPER ${name}_LIBRARY library)
      set_target_properties(stac::${name} PROPERTIES INTERFACE_LINK_LIBRARIES "${${library}}")
    endif()
  endif()
endforeach()
