package dev.pairvm.mirror;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Random;

/** The directions of the mirror's packages: the core is pure, the parts do not know the engine, the engine knows the parts. */
@AnalyzeClasses(packages = "dev.pairvm", importOptions = ImportOption.DoNotIncludeTests.class)
class TidyTest {
    @ArchTest
    static final ArchRule CORE_IS_PURE = classes()
            .that()
            .resideInAPackage("dev.pairvm.mirror.core..")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "dev.pairvm.mirror.core..",
                    "dev.pairvm.api.mirror..",
                    "java.lang..",
                    "java.util",
                    "java.util.function..",
                    "java.util.stream..",
                    "org.jspecify..");

    @ArchTest
    static final ArchRule CORE_HAS_NO_CLOCK_AND_NO_THREADS = noClasses()
            .that()
            .resideInAPackage("dev.pairvm.mirror.core..")
            .should()
            .callMethod(System.class, "nanoTime")
            .orShould()
            .callMethod(System.class, "currentTimeMillis")
            .orShould()
            .dependOnClassesThat()
            .areAssignableTo(Thread.class)
            .orShould()
            .dependOnClassesThat()
            .areAssignableTo(Random.class);

    @ArchTest
    static final ArchRule PARTS_DO_NOT_KNOW_THE_ENGINE = noClasses()
            .that()
            .resideInAnyPackage(
                    "dev.pairvm.mirror.core..",
                    "dev.pairvm.mirror.nbd..",
                    "dev.pairvm.mirror.store..",
                    "dev.pairvm.mirror.link..",
                    "dev.pairvm.mirror.arbiter..",
                    "dev.pairvm.mirror.guest..",
                    "dev.pairvm.mirror.network..",
                    "dev.pairvm.mirror.control..",
                    "dev.pairvm.mirror.source..",
                    "dev.pairvm.mirror.memory..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.pairvm.mirror.engine..");

    @ArchTest
    static final ArchRule NO_KUBERNETES_CLIENT_AND_NO_OPERATOR = noClasses()
            .that()
            .resideInAPackage("dev.pairvm.mirror..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.fabric8..", "dev.pairvm.operator..", "dev.pairvm.api.v1alpha1..");

    @ArchTest
    static final ArchRule PACKAGES_HAVE_NO_CYCLES =
            slices().matching("dev.pairvm.mirror.(*)..").should().beFreeOfCycles();
}
