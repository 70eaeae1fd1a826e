package dev.pairvm.operator;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.time.Clock;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZonedDateTime;

/** The directions between the packages, and what has to stay pure. */
@AnalyzeClasses(packages = "dev.pairvm", importOptions = ImportOption.DoNotIncludeTests.class)
final class TidyTest {
    private static final String CLIENT = "io.fabric8.kubernetes.client..";
    private static final String FRAMEWORK = "io.javaoperatorsdk..";

    @ArchTest
    static final ArchRule OPERATOR_AND_MIRROR_MEET_ONLY_IN_THE_API = noClasses()
            .that()
            .resideInAPackage("dev.pairvm.operator..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.pairvm.mirror..");

    @ArchTest
    static final ArchRule WHAT_IS_DESIRED_AND_PLACED_TOUCHES_NOTHING = noClasses()
            .that()
            .resideInAnyPackage("dev.pairvm.operator.desired..", "dev.pairvm.operator.placement..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(CLIENT, FRAMEWORK, "java.net.http..", "java.nio.file..");

    @ArchTest
    static final ArchRule DECISIONS_TOUCH_NOTHING = noClasses()
            .that()
            .haveNameMatching(
                    "dev\\.pairvm\\.operator\\.(protectedvm\\.(.*Planner|Plan|Draft|Observation|With|Action|Protection|StatusView|ConditionView|Conditions|Announcement|CheckpointView|TwinSupport|TwinWish|LostCopies|Memory|Owned)|operation\\.OperationStep)(\\$.*)?")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(CLIENT, FRAMEWORK, "java.net.http..", "java.nio.file..", "java.util.concurrent..");

    @ArchTest
    static final ArchRule TIME_IS_HANDED_IN = noClasses()
            .that()
            .resideInAPackage("dev.pairvm.operator..")
            .should()
            .callMethod(Instant.class, "now")
            .orShould()
            .callMethod(LocalDateTime.class, "now")
            .orShould()
            .callMethod(ZonedDateTime.class, "now")
            .orShould()
            .callMethod(System.class, "currentTimeMillis")
            .orShould()
            .callMethod(Clock.class, "systemUTC")
            .orShould()
            .callMethod(Thread.class, "sleep", long.class);

    @ArchTest
    static void packagesHaveNoCycles(JavaClasses classes) {
        slices().matching("dev.pairvm.operator.(*)..").should().beFreeOfCycles().check(classes);
    }
}
